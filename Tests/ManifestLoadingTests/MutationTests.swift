import DiagnosticRendering
import Glibc
import ManifestLoading
import SidecarModel
import Testing

/// Manifests broken in every way a seeded generator thinks of. Nothing may trap, hang, or leave a plan beside an error.
///
/// FUZZ_ROUNDS and FUZZ_SEED make it longer, and other.
@Suite struct MutationTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private static let tokens: [String] = [
        "{", "}", "[", "]", ":", ": ", "- ", "\n", "\n  ", "\t", "&a ", "*a", "<<: *a\n", "!!str ", "!x ", "|\n",
        ">-\n", "\"",
        "'", "\\", "#", "---\n", "...\n", "%YAML 1.1\n", "? ", "${", "${A:-", "}", "$$", "${ports.http}",
        "${sidecars.a.0.ports.x}",
        "~", "null", "true", "-1", "0", "1e9", "99999999999999999999", "0x", "5s", "10MiB", "\u{FEFF}", "é", "\u{2028}",
        "\u{85}",
        "depends_on: [a, a]", "health: {", "replicas: ", "restart: ", "x-y: ", "command: ", "\u{0}", "auto", "1-65535",
        "::1",
    ]

    private func mutate(_ bytes: inout [UInt8], with generator: inout Generator) {
        let position = Int.random(in: 0...bytes.count, using: &generator)
        let length = min(Int.random(in: 0..<24, using: &generator), bytes.count - position)
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: bytes.removeSubrange(position..<(position + length))
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: position)
        case 2: bytes.insert(contentsOf: bytes[position..<(position + length)], at: position)
        case 3:
            let from = Int.random(in: 0...(bytes.count - length), using: &generator)
            bytes.insert(contentsOf: Array(bytes[from..<(from + length)]), at: position)
        case 4 where position < bytes.count: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        default: bytes.insert(contentsOf: (Self.tokens.randomElement(using: &generator) ?? "").utf8, at: position)
        }
    }

    @Test func `no text makes the loader trap, and errors leave no plan`() {
        let rounds = getenv("FUZZ_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 3000
        let seed = getenv("FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
        var generator = Generator(state: seed)
        let examples = RuleID.allCases.flatMap { [$0.explanation.before, $0.explanation.after] }.filter { !$0.isEmpty }
        for _ in 0..<rounds {
            var bytes = Array((examples.randomElement(using: &generator) ?? "").utf8)
            for _ in 0..<Int.random(in: 1...6, using: &generator) { mutate(&bytes, with: &generator) }
            let loaded = loadManifest(
                text: bytes, file: "f", directory: "/app", environment: ["HOME": "/root"], options: LoadOptions(),
                files: exampleFiles)
            #expect((loaded.plan == nil) == loaded.hasErrors, "\(String(decoding: bytes, as: UTF8.self))")
            #expect(loaded.diagnostics.allSatisfy { RuleID(rawValue: $0.rule)?.severity == $0.severity })
            #expect(loaded.diagnostics.allSatisfy { ($0.location?.offset ?? 0) <= bytes.count })
            #expect(!diagnosticText(loaded.diagnostics).isEmpty || loaded.diagnostics.isEmpty)
        }
    }

    @Test func `no bytes make the reader of environment files trap`() {
        var generator = Generator(state: 2)
        for _ in 0..<2000 {
            var bytes = Array("export A='b'\nC=\"d\\n\" # e\nF=g h\n".utf8)
            for _ in 0..<4 { mutate(&bytes, with: &generator) }
            let files = MemoryFiles(texts: ["/app/a.env": String(decoding: bytes, as: UTF8.self), "/bin/web": ""])
            let loaded = load(
                "sidecars: { web: { command: /bin/web, env_file: a.env } }", options: LoadOptions(), files: files)
            #expect((loaded.plan == nil) == loaded.hasErrors)
        }
    }
}
