import ChaosKit
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
                try sandbox.declare(Self.waiting)
                let up = try sandbox.start(["up", "-d"], onTerminal: true)
                try up.prints("… and 10 more")
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
                #expect(last.split(separator: "\n").dropLast().count == 11)
                try sandbox.succeed("down")
            }
        }
    }
}
