import SidecarModel
import Testing
import YAMLReading

private func read(_ text: String) -> (document: YAMLDocument?, diagnostics: [Diagnostic]) {
    readYAML(Array(text.utf8), file: "f.yaml")
}

@Suite struct YAMLReadingTests {
    @Test func `every node knows its place, also behind characters of several bytes`() throws {
        let (document, diagnostics) = read("a: ü\n\"é\": [x, { b: cc }]\n")
        #expect(diagnostics == [])
        let tree = try #require(document)
        let root = try #require(tree.root)
        let pairs = tree.pairs(root)
        #expect(tree.string(pairs[0].value) == "ü")
        #expect(
            tree.location(of: pairs[1].key) == SourceLocation(file: "f.yaml", line: 2, column: 1, offset: 6, length: 3))
        let inner = tree.items(pairs[1].value)[1]
        let value = try #require(tree.value(of: "b", in: inner))
        #expect(tree.location(of: value) == SourceLocation(file: "f.yaml", line: 2, column: 15, offset: 21, length: 2))
    }
}
