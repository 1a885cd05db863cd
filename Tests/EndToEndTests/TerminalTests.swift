import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What commands show at a terminal, as its window is resized and others write there.
    @Suite struct TerminalTests {
        /// `s1` to `s30` wait for `gate`, which waits for the file `go`.
        private static let waiting =
            """
              gate:
                shell: "until [ -e go ]; do sleep 0.05; done; echo open; exec sleep 1000"
                health: { log: open }

            """
            + (1...30).map { "  s\($0): { command: [sleep, \"1000\"], depends_on: [gate] }" }.joined(separator: "\n")

        @Test func `the live tree fits its window, also when that is resized`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.waiting, top: "name: shop")
                let up = try sandbox.start(["up", "-d"], onTerminal: true)
                try up.prints("… and 10 more")
                // Also that of a project nobody knew before.
                #expect(up.has(printed: "shop  starting"))
                #expect(!up.has(printed: "sidecars.yaml  starting"))
                #expect(!up.has(printed: "s30"))
                up.resize(rows: 40, columns: 100)
                try up.prints("└─ s30")
                up.resize(rows: 12, columns: 60)
                try up.prints("… and 22 more")
                try File.write("", to: "\(sandbox.directory)/go")
                let ended = try up.end()
                #expect(ended.status == 0)
                let last = try #require(ended.output.split(separator: "\u{1b}[?7l").last)
                #expect(last.contains("31 of 31 ready"))
                #expect(last.count { $0 == "\r\n" } == 11)
                try sandbox.succeed("down")
            }
        }

        @Test func `an up that was stopped and goes on draws its tree anew, below what came meanwhile`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.waiting, top: "name: shop")
                let up = try sandbox.start(["up", "-d"], onTerminal: true)
                try up.prints("… and 10 more")
                up.signal(SIGSTOP)
                try sandbox.eventually("it is stopped") {
                    File.text("/proc/\(up.pid)/stat").split(separator: ") ").last?.first == "T"
                }
                var before = ""
                try sandbox.eventually("all it had drawn is read") {
                    defer { before = up.printed }
                    return before == up.printed
                }
                up.signal(SIGCONT)
                try sandbox.eventually("a frame is drawn") { up.printed.utf8.count > before.utf8.count + 10 }
                let start = up.printed.dropFirst(before.count).prefix { $0 != "\r\n" }
                #expect(start.contains("starting") && !start.contains("A"), "it moves up: \(start.debugDescription)")
                try File.write("", to: "\(sandbox.directory)/go")
                #expect(try up.end().status == 0)
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: ["events -f | head -n 1", "logs -f -n 1 db | head -n 1", "status --watch | head -n 2"])
        func `who follows a quiet project ends with who reads it`(pipeline: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  db: { shell: \"echo one; exec sleep 1000\", health: { log: one } }")
                try sandbox.succeed("up", "-d")
                let ended = try sandbox.shell("orchestrate \(pipeline)").end(within: 20)
                #expect(ended.status == 0)
                #expect(!ended.output.isEmpty)
                #expect(ended.errors == "")
                try sandbox.succeed("down")
            }
        }

        @Test func `status --watch fits its window, also when that is resized`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare((1...30).map { "  s\($0): { command: [sleep, \"1000\"] }" }.joined(separator: "\n"))
                try sandbox.succeed("up", "-d")
                let watch = try sandbox.start(["status", "--watch"], onTerminal: true)
                try watch.prints("… 12 more are not shown")
                watch.resize(rows: 12, columns: 40)
                try watch.prints("… 22 more are not shown")
                try sandbox.succeed("down")
                let output = try watch.end().output
                #expect(!output.contains("\u{1b}[2J"))
                let frames = output.split(separator: "\u{1b}[H")
                #expect(frames.allSatisfy { $0.count { $0 == "\r\n" } <= 23 })
            }
        }
    }
}
