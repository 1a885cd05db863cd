import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    @Suite
    struct ReportTests {
        private static let secret = "hunter2-do-not-tell"

        @Test func `what failed leaves a report without a value of its environment or an argument`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      bad:
                        kind: task
                        command: [sh, -c, "printf 'last \\\\033]0;words\\\\007\\\\n'; exit 3", "\(Self.secret)"]
                        env: { GREETING: "\(Self.secret)" }
                    """)
                _ = try sandbox.orchestrate("up", "-d")
                let reports = try sandbox.reports(of: "bad", atLeast: 1)
                let report = try #require(reports.last)
                let summary = File.text("\(report)/summary.txt")
                #expect(summary.contains("bad is failed") || summary.contains("bad/0 is failed"), "\(summary)")
                #expect(summary.contains("last exit:    exit 3"))
                #expect(summary.contains("orchestrate 0.1.0"))
                #expect(summary.contains("KiB of memory"), "\(summary)")
                #expect(File.text("\(report)/log.txt").contains("stdout last \\e]0;words\\x07"))
                #expect(File.text("\(report)/environment.txt").contains("GREETING=[redacted]\n"))
                #expect(File.text("\(report)/journal.txt").contains("starting → "))
                for name in Directory.entries(report) {
                    #expect(!File.text("\(report)/\(name)").contains(Self.secret), "\(name)")
                    #expect(File.mode("\(report)/\(name)") == 0o600)
                }
                #expect(File.mode(report) == 0o700)
                #expect(Directory.entries(report).count == 5)

                let own = try sandbox.succeed("report", "bad", "-o", "\(sandbox.directory)/mine")
                #expect(own.contains("\(sandbox.directory)/mine\n"))
                #expect(own.contains(report))
                #expect(Directory.entries("\(sandbox.directory)/mine").count == 5)
                try sandbox.succeed("down")
                // From the journal alone, into a directory that is there.
                try sandbox.succeed("report", "bad", "-o", sandbox.directory)
                #expect(Directory.entries(sandbox.directory).contains { $0.hasPrefix("orchestrate-report.bad.0.") })
                #expect(try sandbox.orchestrate("report", "nobody").status == 4)
                #expect(try sandbox.orchestrate("report", "bad", "-o", "\(sandbox.directory)/mine/x/y").status == 1)
            }
        }

        @Test func `a report of one that runs has its CPU and memory, and calls it as status does`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                let mine = "\(sandbox.directory)/mine"
                try sandbox.succeed("report", "one", "-o", mine)
                let summary = File.text("\(mine)/summary.txt")
                #expect(summary.hasPrefix("one is healthy since "), "\(summary)")
                #expect(summary.contains(" ms of CPU, now "), "\(summary)")
                #expect(File.text("\(mine)/journal.txt").contains("  one#1  "))
                try sandbox.succeed("down")
                let later = "\(sandbox.directory)/later"
                try sandbox.succeed("report", "one", "-o", later)
                #expect(File.text("\(later)/summary.txt").hasPrefix("one is stopped since "))
            }
        }

        @Test func `the memory of a report is the sidecar's own, and not what its supervisor had`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      small: { kind: task, command: ["false"] }
                      large: { kind: task, shell: "head -c 90000000 /dev/zero | tail -c 90000000 >/dev/null; exit 3" }
                    """)
                _ = try sandbox.orchestrate("up", "-d")
                let small = File.text("\(try #require(try sandbox.reports(of: "small", atLeast: 1).last))/summary.txt")
                #expect(small.contains("less than "), "\(small)")
                let large = File.text("\(try #require(try sandbox.reports(of: "large", atLeast: 1).last))/summary.txt")
                let line = try #require(large.split(separator: "\n").first { $0.hasPrefix("used:") })
                let words = line.split(separator: " ")
                let kibibytes = try #require(words.firstIndex(of: "KiB").flatMap { Int(words[$0 - 1]) })
                #expect(line.contains("at most "), "\(line)")
                #expect(kibibytes > 80_000, "\(line)")
                try sandbox.succeed("down")
            }
        }

        @Test func `a report says which keys changed since it was last well`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"], restart: { max_attempts: 1 } }")
                try sandbox.succeed("up", "-d")
                try sandbox.declare(
                    """
                      one: { command: ["false"], env: { NEW: "1" }, restart: { max_attempts: 1 }, start: { settle: 10s } }
                    """)
                _ = try sandbox.orchestrate("up", "-d")
                let report = try #require(try sandbox.reports(of: "one", atLeast: 1).last)
                let summary = File.text("\(report)/summary.txt")
                let line = try #require(summary.split(separator: "\n").first { $0.hasPrefix("changed:") })
                #expect(line.contains("command") && line.contains("env") && line.contains("since it was last well"))
                #expect(!line.contains("restart"))
                try sandbox.succeed("down")
            }
        }

        @Test func `the newest three of each are kept`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  bad: { kind: task, command: [\"false\"] }")
                _ = try sandbox.orchestrate("up", "-d")
                var seen = Set(try sandbox.reports(of: "bad", atLeast: 1))
                for round in 2...5 {
                    #expect(try sandbox.orchestrate("run", "bad").status == 1)
                    try sandbox.eventually("report \(round)") {
                        seen.formUnion(try sandbox.reports(of: "bad", atLeast: 1))
                        return seen.count == round
                    }
                }
                try sandbox.eventually("two were removed") { try sandbox.reports(of: "bad", atLeast: 1).count == 3 }
                #expect(try sandbox.reports(of: "bad", atLeast: 3).sorted() == Array(seen.sorted().suffix(3)))
                try sandbox.succeed("down")
            }
        }
    }
}

extension Sandbox {
    /// Those that are finished, oldest first.
    func reports(of sidecar: String, atLeast count: Int) throws -> [String] {
        let directory = "\(stateDirectory ?? "")/reports"
        var found: [String] = []
        try eventually("\(count) reports of \(sidecar)") {
            found = Directory.entries(directory).filter {
                $0.hasPrefix("\(sidecar).0.") && !$0.hasSuffix(".unfinished")
            }
            .sorted().map { "\(directory)/\($0)" }
            return found.count >= count
        }
        return found
    }
}

extension File {
    /// The permissions of the thing itself, links not followed. -1: it is not there.
    static func mode(_ path: String) -> Int {
        var facts = stat()
        return lstat(path, &facts) == 0 ? Int(facts.st_mode & 0o777) : -1
    }
}
