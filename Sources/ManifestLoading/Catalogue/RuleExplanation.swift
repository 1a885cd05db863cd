/// Why a rule is there, and what a manifest looks like before and after the fix.
///
/// The examples are whole manifests, and a test loads them: `before` must fire the rule, `after` must not.
package struct RuleExplanation: Hashable, Sendable {
    package let rule: RuleID
    package let why: String
    /// Empty where the problem can't be shown as text.
    package let before: String
    package let after: String

    init(_ rule: RuleID, _ why: String, before: String = "", after: String = "") {
        self.rule = rule
        self.why = why
        self.before = before
        self.after = after
    }
}

extension RuleID {
    package var explanation: RuleExplanation {
        explanations[self] ?? RuleExplanation(self, "")
    }
}

private let explanations: [RuleID: RuleExplanation] = {
    let all =
        documentExplanations + valueExplanations + variableExplanations + programExplanations + portExplanations
        + dependencyExplanations + healthExplanations + lifecycleExplanations + secretExplanations
        + privilegeExplanations
    return Dictionary(all.map { ($0.rule, $0) }) { first, _ in first }
}()
