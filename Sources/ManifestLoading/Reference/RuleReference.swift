import SidecarModel

/// The page of all rules, from their catalogue.
package func ruleReference() -> String {
    var page = """
        # Rules

        Generated from the catalogue of rules: change it there. Errors are what can't run, warnings what will surprise. \
        A warning is silenced for one place by `# orchestrate: ignore=<rule>`.

        """
    for rule in RuleID.allCases {
        let explanation = rule.explanation
        page += "\n## \(rule.rawValue)\n\n*\(rule.severity.rawValue)* · \(explanation.why)\n"
        if !explanation.before.isEmpty, explanation.before.utf8.count < 1000 {
            page += "\nBefore:\n\n```yaml\n\(explanation.before)```\n\nAfter:\n\n```yaml\n\(explanation.after)```\n"
        }
    }
    return page
}
