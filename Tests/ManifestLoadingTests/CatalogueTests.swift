import ManifestLoading
import SidecarModel
import Testing
import YAMLReading

/// The files the examples of the catalogue speak of.
let exampleFiles = MemoryFiles(
    texts: [
        "/bin/server": "", "/app/notes.txt": "", "/app/broken.env": "A=1\nthis is no line\n", "/app/good.env": "A=1\n",
        "/app/ports.env": "HTTP_PORT=1\nSQL_PORT=2\n",
    ],
    accounts: ["web": 1000, "db": 1001],
    // An ordinary user.
    abilities: HostAbilities(
        user: 1000, group: 1000, mayChangeIdentity: false, mayRaiseLimits: false, lowestNice: 0,
        hardLimits: [.openFiles: 4096]),
    resourceObstacle: "the cgroup has no memory controller")

/// Rules that look at the host; the others are shown without it, so that their examples stay short.
private let hostRules: Set<RuleID> = [
    .commandNotFound, .commandNotExecutable, .directoryNotFound, .environmentFileNotFound, .environmentFileSyntax,
    .secretNotFound, .accountNotFound, .notPermitted, .resourcesNotEnforced,
    .portUnavailable,
]

func loadExample(_ text: String, of rule: RuleID) -> LoadedManifest {
    load(text, options: LoadOptions(checksHost: hostRules.contains(rule)), files: exampleFiles)
}

/// What can't be shown as a short text.
let rulesWithoutExample: Set<RuleID> = [
    .manifestNotFound, .manifestUnreadable, .yamlInvalidUTF8, .yamlControlCharacter, .yamlTooLarge, .yamlTooManyNodes,
    .dotEnvironmentSyntax,
]

@Suite struct CatalogueTests {
    @Test(arguments: RuleID.allCases)
    func `the example of a rule fires it, and the fixed one is silent`(rule: RuleID) {
        let explanation = rule.explanation
        #expect(!explanation.why.isEmpty)
        guard !rulesWithoutExample.contains(rule) else { return }
        let before = loadExample(explanation.before, of: rule)
        #expect(before.diagnostics.contains { $0.rule == rule.rawValue }, "\(before.report)")
        #expect(before.diagnostics.allSatisfy { RuleID(rawValue: $0.rule)?.severity == $0.severity })
        #expect((before.plan == nil) == before.hasErrors)
        let after = loadExample(explanation.after, of: rule)
        #expect(after.report == [])
        #expect(after.plan != nil)
    }

    @Test func `the reader's rules are in the catalogue`() {
        for rule in YAMLRule.allCases { #expect(RuleID(rawValue: rule.rawValue) != nil) }
    }

    @Test func `there are more than sixty rules, and ids are kebab-case`() {
        #expect(RuleID.allCases.count >= 60)
        for rule in RuleID.allCases {
            #expect(rule.rawValue.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 })
        }
    }
}
