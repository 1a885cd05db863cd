import DiagnosticRendering
import Glibc
import ManifestLoading
import SidecarModel
import Testing

/// `Fixtures/<rule>.yaml` fires its rule; `.expected` is what a person sees. A first line `# host` turns the checks of
/// the machine on. To write the expectations anew: RECORD_FIXTURES=1 swift test --filter FixtureTests
@Suite struct FixtureTests {
    private static let directory = parentDirectory(of: #filePath) + "/Fixtures"

    private static var names: [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".yaml") { names.append(String(name.dropLast(5))) }
        }
        return names.sorted()
    }

    @Test(arguments: names)
    func `a wrong manifest is answered as it was`(name: String) throws {
        let path = "\(Self.directory)/\(name)"
        let bytes = try HostFiles().read(path + ".yaml", limit: 1 << 20)
        let loaded = loadManifest(
            text: bytes, file: name + ".yaml", directory: "/app", environment: [:],
            options: LoadOptions(checksHost: bytes.starts(with: "# host".utf8)), files: exampleFiles)
        let text = diagnosticText(loaded.diagnostics) + (diagnosticSummary(loaded.diagnostics) ?? "nothing") + "\n"
        if getenv("RECORD_FIXTURES") != nil {
            let file = try #require(fopen(path + ".expected", "w"))
            fputs(text, file)
            fclose(file)
        }
        let expected = try HostFiles().read(path + ".expected", limit: 1 << 20)
        #expect(text == String(decoding: expected, as: UTF8.self))
        if let rule = RuleID(rawValue: name) {
            #expect(loaded.diagnostics.contains { $0.rule == rule.rawValue })
        }
    }

    @Test func `every rule that a text can fire has a fixture`() {
        let names = Set(Self.names)
        let missing = RuleID.allCases.filter { !names.contains($0.rawValue) }
        #expect(
            Set(missing) == [
                .manifestNotFound, .manifestUnreadable, .yamlTooLarge, .yamlTooManyNodes, .dotEnvironmentSyntax,
            ])
    }

    @Test func `more than sixty rules are fired by fixtures`() {
        let names = Set(Self.names)
        #expect(RuleID.allCases.count { names.contains($0.rawValue) } >= 60)
    }
}
