import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// `orchestrate logs` with each of its flags.
    @Suite
    struct LogFlagTests {
        private static let chatty = """
              first: { kind: task, shell: "echo one; echo two >&2; echo three" }
              second: { kind: task, shell: "echo four", depends_on: { first: succeeded } }
            """

        private func withLines(_ body: (Sandbox) throws -> Void) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.chatty)
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                try body(sandbox)
            }
        }

        private func words(_ text: String) -> [String] {
            text.split(separator: "\n").map { String($0.split(separator: " ").last ?? "") }
        }

        @Test func `which sidecars, and how many lines of each`() throws {
            try withLines { sandbox in
                #expect(try sandbox.succeed("logs", "second") == "second | four\n")
                #expect(words(try sandbox.succeed("logs", "first", "second")).last == "four")
                let last = words(try sandbox.succeed("logs", "-n", "1"))
                #expect(last.count == 2)
                #expect(last.last == "four")
                #expect(try sandbox.succeed("logs", "-n", "0") == "")
                #expect(try sandbox.orchestrate("logs", "nobody").status == 4)
            }
        }

        @Test func `since, until, a pattern, time stamps and JSON`() throws {
            try withLines { sandbox in
                #expect(words(try sandbox.succeed("logs", "--since", "1h")).count == 4)
                #expect(try sandbox.succeed("logs", "--until", "1h") == "")
                #expect(words(try sandbox.succeed("logs", "--grep", "^t(wo|hree)$")).sorted() == ["three", "two"])
                #expect(try sandbox.orchestrate("logs", "--grep", "(").status == 64)
                let stamped = try sandbox.succeed("logs", "second", "--timestamps")
                #expect(stamped.hasPrefix("second | 20"), "\(stamped)")
                let json = try sandbox.succeed("logs", "--json").split(separator: "\n")
                #expect(json.count == 4)
                #expect(json.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
                #expect(json.contains { $0.contains("\"stderr\"") && $0.contains("\"two\"") })
                let time = stamped.dropFirst("second | ".count).prefix(27)
                #expect(try sandbox.succeed("logs", "--since", String(time)) == "second | four\n")
            }
        }

        @Test(arguments: ["state", "logs.dir"])
        func `a replica that was scaled away leaves its log`(place: String) throws {
            try Sandbox.run { sandbox in
                func declare(replicas: Int) throws {
                    let logs = place == "state" ? "" : ", logs: { dir: ./written }"
                    try sandbox.declare(
                        """
                          r:
                            { shell: "echo here $REPLICA; exec sleep 1000", env: { REPLICA: "${replica}" },
                              health: { log: here }, replicas: \(replicas)\(logs) }
                        """)
                }
                try declare(replicas: 4)
                try sandbox.succeed("up", "-d")
                try declare(replicas: 2)
                try sandbox.succeed("up", "-d")
                #expect(try sandbox.succeed("logs", "r/3") == "r/3 | here 3\n")
                #expect(try sandbox.succeed("logs", "r").split(separator: "\n").count == 4)
                #expect(try sandbox.orchestrate("logs", "r/4").status == 4)
                try sandbox.succeed("down")
                #expect(try sandbox.succeed("logs", "r/3") == "r/3 | here 3\n")
            }
        }

        @Test func `JSON tells the parts of a line that is too long from whole ones`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    "  wide: { kind: task, shell: \"head -c 1200000 /dev/zero | tr '\\\\0' x; echo; echo short\" }")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                let lines = try sandbox.succeed("logs", "--json").split(separator: "\n")
                #expect(lines.map { $0.contains("\"partial\":true") } == [true, false, false])
                #expect(lines.map { $0.contains("\"partial\":false") } == [false, true, true])
            }
        }

        @Test func `previous is the life before, and following shows what comes`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    "  web: { shell: \"echo life $(cat n 2>/dev/null); exec sleep 1000\", health: { log: life } }")
                try sandbox.succeed("up", "-d")
                try File.write("2", to: "\(sandbox.directory)/n")
                let following = try sandbox.start("logs", "web", "-f")
                try following.prints("life")
                try sandbox.succeed("restart", "web")
                try following.prints("life 2")
                following.signal(SIGINT)
                _ = try following.end()
                #expect(try sandbox.succeed("logs", "web", "--previous") == "web | life\n")
                try sandbox.succeed("down")
            }
        }

        @Test func `compressed files are read like the others, and by other programs`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      writer:
                        kind: task
                        shell: "seq -f 'line %05g' 1 5000"
                        logs: { max_size: 32KiB, max_files: 100, compress: true }
                    """)
                try sandbox.succeed("up", "-d")
                let logs = "\(sandbox.directory)/state/orchestrate"
                try sandbox.eventually("all that was rotated is compressed") {
                    let names = Directory.entries(logs).filter { $0 != "ports" }
                        .flatMap { Directory.entries("\(logs)/\($0)/logs") }
                    return names.count > 3 && names.filter { !$0.hasSuffix(".log.gz") } == ["writer.0.log"]
                }
                let expected = (1...5000).map { "writer | line 0" + "\(10_000 + $0)".dropFirst() }
                #expect(try sandbox.succeed("logs").split(separator: "\n").map(String.init) == expected)
                #expect(try sandbox.succeed("logs", "-n", "4000").split(separator: "\n").count == 4000)
                let check = try sandbox.shell("zcat state/orchestrate/*/logs/*.gz | grep -c 'line 0'").end()
                #expect((Int(check.output.split(separator: "\n").first ?? "") ?? 0) > 1000, "\(check.everything)")
                try sandbox.succeed("down")
            }
        }
    }
}
