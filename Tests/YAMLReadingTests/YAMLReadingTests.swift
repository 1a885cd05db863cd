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

    private func rules(_ text: String) -> [String] { read(text).diagnostics.map(\.rule) }

    @Test func `an empty text is an empty document`() throws {
        for text in ["", "\n", "# comment\n", "---\n", "\u{FEFF}"] {
            let (document, diagnostics) = read(text)
            #expect(diagnostics == [])
            let tree = try #require(document)
            #expect(tree.root.map(tree.isNull) ?? true)
        }
    }

    @Test func `a byte order mark and Windows line ends don't move places`() throws {
        let (document, _) = read("\u{FEFF}a: 1\r\nb: 2\r\n")
        let tree = try #require(document)
        let root = try #require(tree.root)
        let value = try #require(tree.value(of: "b", in: root))
        #expect(tree.location(of: value) == SourceLocation(file: "f.yaml", line: 2, column: 4, offset: 12))
        #expect(tree.source.line(2) == "b: 2")
    }

    @Test func `an alias is what it stands for`() throws {
        let (document, diagnostics) = read("a: &x { k: v }\nb: *x\n*y : 1\nc: &y z\n")
        #expect(diagnostics.map(\.rule) == ["yaml-unknown-alias"])
        let tree = try #require(document)
        let root = try #require(tree.root)
        #expect(tree.value(of: "b", in: root) == tree.value(of: "a", in: root))
    }

    @Test func `an alias can be a key`() throws {
        let (document, diagnostics) = read("a: &x name\nb: { *x : 1 }\n")
        #expect(diagnostics == [])
        let tree = try #require(document)
        let inner = try #require(tree.root.flatMap { tree.value(of: "b", in: $0) })
        #expect(tree.value(of: "name", in: inner).map(tree.string) == "1")
    }

    @Test func `own keys win over merged ones, and the first mapping over the next`() throws {
        let (document, diagnostics) = read("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {c: 3, <<: [*x, *y]}\n")
        #expect(diagnostics == [])
        let tree = try #require(document)
        let merged = try #require(tree.root.flatMap { tree.value(of: "z", in: $0) })
        #expect(tree.pairs(merged).map { tree.string($0.key) + tree.string($0.value) } == ["c3", "a1", "b1"])
    }

    @Test func `keys given twice are found in small and in large mappings`() {
        #expect(rules("a: 1\nb: 2\na: 3\n") == ["duplicate-key"])
        let many = (0..<100).map { "k\($0): 1\n" }.joined()
        #expect(rules(many) == [])
        #expect(rules(many + "k7: 2\n") == ["duplicate-key"])
        #expect(rules("a: 1\n\"a\": 2\n") == ["duplicate-key"])
    }

    @Test func `two merge keys in one mapping are a key given twice`() {
        let text = "x: &x {a: 1}\ny: &y {b: 2}\nz:\n  <<: *x\n  <<: *y\n"
        let diagnostics = read(text).diagnostics
        #expect(diagnostics.map(\.rule) == ["duplicate-key"])
        #expect(diagnostics.map(\.message) == ["the key '<<' is given twice"])
        #expect(diagnostics.map(\.location?.line) == [5])
        #expect(diagnostics.map(\.related.first?.location.line) == [4])
        #expect(diagnostics.map(\.help) == ["keep one, with a list of all: <<: [*a, *b]"])
        #expect(rules("x: &x {a: 1}\nz: {<<: *x, \"<<\": text}\n") == [])
    }

    @Test func `plain nothing, null and ~ are null, and quoted ones are text`() throws {
        let (document, _) = read("[~, null, Null, NULL, '', \"~\", 'null', nul, !!str null, '~']")
        let tree = try #require(document)
        let items = tree.items(try #require(tree.root))
        #expect(items.map(tree.isNull) == [true, true, true, true, false, false, false, false, false, false])
    }

    @Test func `a tag decides what a text is, whatever its quotes`() throws {
        let (document, diagnostics) = read(
            "[2, '2', !!int '2', !!bool \"true\", !!float 2, !!str 2, ! 2, !!null 'null']")
        #expect(diagnostics == [])
        let tree = try #require(document)
        let items = tree.items(try #require(tree.root))
        #expect(items.map(tree.isPlain) == [true, false, true, true, true, false, false, true])
        #expect(items.map(tree.isNull) == [false, false, false, false, false, false, false, true])
    }

    @Test func `limits have an edge`() {
        let deep = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
        #expect(rules(deep(YAMLLimits.depth)) == [])
        #expect(rules(deep(YAMLLimits.depth + 1)) == ["yaml-too-deep"])
        let list = String(repeating: "a,", count: 999)
        let uses = { "- &x [\(list)]\n" + String(repeating: "- *x\n", count: $0) }
        #expect(rules(uses(100)) == [])
        #expect(rules(uses(101)) == ["yaml-alias-expansion"])
    }

    @Test(arguments: [
        ("a: b: c", "yaml-syntax"), ("a:\n\t- b", "yaml-tab"), ("- *", "yaml-needs-quotes"),
        ("a: `b`", "yaml-needs-quotes"),
        ("a: [b", "yaml-syntax"), ("a: 'b", "yaml-syntax"), ("a: \"\\q\"", "yaml-syntax"),
        ("%YAML 3.0\n---\na", "yaml-syntax"),
        ("a\n---\nb", "yaml-multiple-documents"), ("? [a]\n: b", "yaml-key-not-text"), ("a: !x b", "yaml-unknown-tag"),
        ("&a a: 1\n&a b: 2", "yaml-duplicate-anchor"), ("&a [*a]", "yaml-recursive-alias"),
        ("<<: 1", "yaml-merge-not-mapping"),
        ("a: \u{1}", "yaml-control-character"), ("a: \u{0}", "yaml-control-character"),
    ])
    func `what is wrong has a rule and a place`(text: String, rule: String) {
        let (_, diagnostics) = read(text)
        #expect(diagnostics.map(\.rule) == [rule])
        #expect(diagnostics.allSatisfy { $0.location != nil })
    }

    @Test(arguments: ["\\0", "\\x00", "\\u0000", "\\U00000000"])
    func `a NUL byte is refused as an escape too, in values and in keys`(escape: String) throws {
        let (document, diagnostics) = read("a: \"b\(escape)c\"\n\"d\(escape)\": e\n")
        #expect(document != nil)
        #expect(diagnostics.map(\.rule) == ["yaml-control-character", "yaml-control-character"])
        #expect(diagnostics.map(\.location?.line) == [1, 2])
        #expect(diagnostics.map(\.location?.column) == [4, 1])
        #expect(rules("a: 'b\(escape)c'\n") == [])
        #expect(rules("a: \"b\\x01c\"\n") == [])
    }

    @Test func `no one is told to write a NUL byte as an escape`() {
        #expect(read("a: \u{0}").diagnostics.map(\.help) == ["remove it"])
        #expect(
            read("a: \u{1}").diagnostics.map(\.help) == ["remove it; in a quoted text it can be written as an escape"])
    }

    @Test func `bytes that are no UTF-8 are placed`() {
        let diagnostics = readYAML(Array("a: ü\nb: ".utf8) + [0xC3, 0x28], file: "f").diagnostics
        #expect(diagnostics.map(\.rule) == ["yaml-invalid-utf8"])
        #expect(diagnostics[0].location == SourceLocation(file: "f", line: 2, column: 4, offset: 9))
        #expect(readYAML([0xFF, 0xFE, 0x61, 0], file: "f").diagnostics[0].message == "the file is UTF-16, not UTF-8")
    }

    @Test(arguments: ["a: 1\nb: \"open\nc: 2\n", "a: 1\nb: 'open\nc: 2\n", "a: 1\nb: \"open\n---\nc: 2\n"])
    func `a quote that is not closed is reported where it opens`(text: String) {
        let (_, diagnostics) = readYAML(Array(text.utf8), file: "f")
        #expect(diagnostics.map(\.message) == ["this quote is not closed"])
        #expect(diagnostics.first?.location?.line == 2)
        #expect(diagnostics.first?.location?.column == 4)
    }
}
