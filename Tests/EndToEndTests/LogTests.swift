import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What happens to lines when the reader is killed, files are rotated, or the disk is full.
    @Suite
    struct LogTests {
        @Test func `the FIFOs of what waits are made meanwhile, and go when it is not wanted any more`() throws {
            try Sandbox.run { sandbox in
                let never = "  never: { command: [sleep, \"1000\"], health: { exec: [\"false\"] } }"
                try sandbox.declare("\(never)\n  waiting: { command: [sleep, \"1\"], depends_on: { never: healthy } }")
                try sandbox.succeed("up", "-d", "--no-wait")
                let fifos = try #require(sandbox.stateDirectory) + "/fifo"
                try sandbox.eventually("it has both") {
                    ["out", "err"].allSatisfy { File.exists("\(fifos)/waiting.0.\($0)") }
                }
                #expect(sandbox.sidecars("waiting").isEmpty)
                try sandbox.declare(never)
                try sandbox.succeed("up", "-d", "--no-wait")
                try sandbox.eventually("it has none") {
                    !Directory.entries(fifos).contains { $0.hasPrefix("waiting.") }
                }
                try sandbox.succeed("down")
            }
        }

        @Test func `no line is lost when the supervisor is killed while logs rotate`() throws {
            try Sandbox.run { sandbox in
                let input = HeldInput(in: sandbox)
                try sandbox.declare(
                    """
                      counter:
                        command: \(Counter.fed(from: input.path))
                        logs: { max_size: 64KiB, max_files: 1000 }
                    """)
                try sandbox.succeed("up", "-d")
                let kills = max(3, rounds / 10)
                for _ in 0..<kills {
                    // Many more than a FIFO holds: it is still at them when the supervisor is gone.
                    input.send("7000")
                    let supervisor = try #require(sandbox.supervisor)
                    supervisor.kill()
                    try sandbox.eventually("it is back") { sandbox.supervisor.map { $0 != supervisor } ?? false }
                }
                try sandbox.eventually("the last line is in the log") {
                    try sandbox.succeed("logs", "counter", "-n", "5").contains("line \(kills * 7000 - 1)\n")
                }
                var seen = [Bool](repeating: false, count: kills * 7000)
                for line in try sandbox.succeed("logs", "counter", "-n", "1000000").split(separator: "\n") {
                    guard let word = line.firstRange(of: "line "), let n = Int(line[word.upperBound...]) else {
                        continue
                    }
                    if seen.indices.contains(n) { seen[n] = true }
                }
                let lost = seen.indices.filter { !seen[$0] }
                #expect(lost.isEmpty, "\(lost.count) lines are lost, from \(lost.first ?? -1) on, after \(kills) kills")
                try sandbox.succeed("down")
            }
        }

        @Test func `the last words of what crashes are in the log`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      odd: { kind: task, shell: "seq 1 5000; printf 'no newline'; kill -9 $$" }
                    """)
                _ = try sandbox.orchestrate("up", "-d")
                let log = try sandbox.succeed("logs", "odd", "-n", "100000")
                #expect(log.contains("5000\n"))
                #expect(log.contains("no newline"))
                try sandbox.succeed("down")
            }
        }

        /// 256 KiB, to be unmounted.
        private func smallDisk(in sandbox: Sandbox) throws -> String {
            let place = "\(sandbox.directory)/small"
            mkdir(place, 0o755)
            try #require(try sandbox.tool("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place) == 0)
            return place
        }

        @Test(.enabled(if: EndToEnd.canMount, "needs a small file system of its own, which only root can mount"))
        func `a full disk drops whole lines and says how many, and the sidecar goes on`() throws {
            try Sandbox.run { sandbox in
                let small = try smallDisk(in: sandbox)
                defer { _ = try? sandbox.tool("umount", small) }
                try sandbox.declare(
                    """
                      writer:
                        shell: |
                          seq -f 'line %07g' 1 100000
                          touch written
                          : <room
                          seq -f 'line %07g' 100001 200000
                          touch again
                          : <more
                          echo after
                          exec sleep 1000
                        logs: { dir: "\(small)", block: 100ms }
                    """)
                let room = Gate("room", in: sandbox)
                let more = Gate("more", in: sandbox)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it has written, disk or no disk") {
                    File.exists("\(sandbox.directory)/written")
                }
                #expect(try sandbox.tool("mount", "-o", "remount,size=512k", small) == 0)
                room.open()
                try sandbox.eventually("it is full again") { File.exists("\(sandbox.directory)/again") }
                #expect(try sandbox.tool("mount", "-o", "remount,size=64m", small) == 0)
                more.open()
                try sandbox.eventually("the log goes on") {
                    try sandbox.succeed("logs", "writer", "-n", "100000").contains("after")
                }
                let log = try sandbox.succeed("logs", "writer", "-n", "100000")
                #expect(File.text("\(small)/writer.0.log").contains("lines were dropped here: no space left on device"))
                // However often that was: once, with all of them.
                let warnings = try sandbox.succeed("status").split(separator: "\n").filter { $0.contains("dropped") }
                #expect(warnings.count == 1, "\(warnings)")
                #expect(try !sandbox.succeed("status").contains("cannot be written"))
                let torn = log.split(separator: "\n").filter { line in
                    guard let start = line.firstRange(of: "line ") else { return false }
                    return line[start.upperBound...].count != 7
                }
                #expect(torn.isEmpty)
                try sandbox.succeed("down")
            }
        }

        @Test(.enabled(if: EndToEnd.canMount, "needs a small file system of its own, which only root can mount"))
        func `lines that a full disk cost are counted although the supervisor is killed before they can be noted`()
            throws
        {
            try Sandbox.run { sandbox in
                let small = try smallDisk(in: sandbox)
                defer { _ = try? sandbox.tool("umount", small) }
                try sandbox.declare(
                    """
                      writer:
                        shell: |
                          seq -f 'line %07g' 1 50000
                          touch written
                          : <room
                          echo after
                          exec sleep 1000
                        logs: { dir: "\(small)", block: 100ms }
                    """)
                let room = Gate("room", in: sandbox)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("most of it was dropped") {
                    let status = try sandbox.succeed("status")
                    return File.exists("\(sandbox.directory)/written")
                        && status.contains("the log of writer/0 cannot be written: write ")
                }
                let supervisor = try #require(sandbox.supervisor)
                supervisor.kill()
                try sandbox.eventually("there is another one") { sandbox.supervisor.map { $0 != supervisor } ?? false }
                #expect(try sandbox.tool("mount", "-o", "remount,size=64m", small) == 0)
                room.open()
                try sandbox.eventually("the log goes on") {
                    try sandbox.succeed("logs", "writer", "-n", "100000").contains("after")
                }
                let log = File.text("\(small)/writer.0.log").split(separator: "\n")
                let written = log.filter { $0.contains(" line ") && !$0.contains("dropped") }.count
                let dropped = log.compactMap { line in
                    line.firstRange(of: " lines were dropped here").flatMap { end in
                        line[..<end.lowerBound].split(separator: " ").last.flatMap { Int($0) }
                    }
                }
                #expect(!dropped.isEmpty)
                #expect(written + dropped.reduce(0, +) == 50000, "\(written) and \(dropped)")
                try sandbox.succeed("down")
            }
        }
    }
}

extension Sandbox {
    /// The exit status of a program of the system's, without the sandbox's mark.
    func tool(_ words: String...) throws -> Int32 {
        let environment = ["PATH": Sandbox.path]
        return try Program(words, directory: directory, environment: environment).end().status
    }
}
