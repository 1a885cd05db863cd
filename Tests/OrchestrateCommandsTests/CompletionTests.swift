import Testing

@testable import OrchestrateCommands

/// Which project is meant by a line that is still being typed.
@Suite struct CompletionTests {
    @Test(
        arguments: [
            ("orchestrate logs ", nil, nil), ("orchestrate why -f a.yaml ", "a.yaml", nil),
            ("orchestrate logs -f a", nil, nil), ("orchestrate logs -f --file=a.yaml x", "a.yaml", nil),
            ("orchestrate stop --project shop x", nil, "shop"),
            ("orchestrate stop --project 'my\\\"shop' x", nil, #"my\"shop"#),
            (#"orchestrate stop --project "my\"shop\x"\'s x"#, nil, #"my"shop\x's"#),
            // Not whole: as it stands.
            ("orchestrate stop --project 'shop x", nil, "'shop"),
            // As bash splits it.
            ("orchestrate stop --file = a.yaml x", "a.yaml", nil),
            // Not what stands behind the cursor's word, nor what is for another program.
            ("orchestrate exec db -- psql -f a.sql ", nil, nil), ("orchestrate stop --file", nil, nil),
        ] as [(String, String?, String?)])
    func `the project is the one that the words before name`(line: String, file: String?, project: String?) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        let completions = Completions(words: words, index: words.count - 1)
        #expect(completions.options.file == file)
        #expect(completions.options.project == project)
    }
}
