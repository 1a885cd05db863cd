import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What the pages say is true as far as it can be tried: links lead somewhere, manifests are valid.
    @Suite
    struct DocumentationTests {
        private static let root = Sandbox.package

        static let pages: [String] =
            ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map { "\(root)/\($0)" }
            + markdown(in: "docs")

        private static func markdown(in directory: String) -> [String] {
            Directory.entries("\(root)/\(directory)").sorted().flatMap { name in
                name.hasSuffix(".md") ? ["\(root)/\(directory)/\(name)"] : markdown(in: "\(directory)/\(name)")
            }
        }

        @Test(arguments: pages)
        func `links lead somewhere`(page: String) {
            let folder = page.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            for link in File.text(page).split(separator: "](").dropFirst() {
                let target = link.prefix { $0 != ")" && $0 != "#" && $0 != "\n" }
                if target.isEmpty || target.hasPrefix("http") { continue }
                #expect(File.exists("\(folder)/\(target)"), "\(page) links to \(target)")
            }
        }

        @Test(arguments: pages)
        func `whole manifests in the pages are valid`(page: String) throws {
            for manifest in blocks(of: File.text(page), "yaml") where manifest.contains("version: 1") {
                try Sandbox.run { sandbox in
                    try File.write(manifest, to: sandbox.manifest)
                    let ended = try sandbox.orchestrate("validate", "--no-host")
                    #expect(ended.status == 0, "\(page): \(ended.everything)")
                }
            }
        }

        @Test(arguments: Directory.entries("\(root)/examples"))
        func `the examples are valid`(name: String) throws {
            try Sandbox.run { sandbox in
                let path = "\(Self.root)/examples/\(name)/sidecars.yaml"
                let ended = try sandbox.orchestrate("validate", "--no-host", "-f", path)
                #expect(ended.status == 0, "\(ended.everything)")
            }
        }

        private func blocks(of text: String, _ language: String) -> [String] {
            text.split(separator: "```\(language)\n").dropFirst().map { block in
                String(block[..<(block.firstRange(of: "```")?.lowerBound ?? block.endIndex)])
            }
        }
    }
}
