import CProcess
import Glibc
import Supervision
import Testing

/// A keeper and a supervisor (the fixture) of a project in a temporary directory, told what to do line by line.
final class SupervisedProject {
    let directory: String
    private var records = orch_records()
    private let commands: Int32
    private let answers: Channel
    /// What the started programs tell, by writing lines to the file `$NEWS` names.
    let news: Channel
    let log: Int32

    init(_ level: Containment.Level? = nil) throws {
        directory = try Self.makeDirectory()
        for name in ["commands", "answers", "news"] {
            try #require(mkfifo("\(directory)/\(name)", 0o666) == 0)
        }
        commands = open(directory + "/commands", O_RDWR | O_CLOEXEC)
        answers = try Channel(path: directory + "/answers")
        news = try Channel(path: directory + "/news")
        log = open(directory + "/log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        try launch(level)
    }

    /// Starts keeper and supervisor, and waits until it serves. Returns what it adopted.
    @discardableResult
    func launch(_ level: Containment.Level? = nil) throws -> [String] {
        let launcher = KeeperLauncher(
            keeperPath: Self.keeperProgram, stateDirectory: directory,
            programPath: Self.program("process-host-fixture"), arguments: [directory, level?.rawValue ?? "best"],
            environment: ["PATH=/usr/bin:/bin", "NEWS=\(directory)/news"], logDescriptor: log)
        let ready = try launcher.launch()
        defer { close(ready) }
        let first = try answers.line()
        try #require(first.hasPrefix("serving "))
        if let level { #expect(first == "serving \(level.rawValue)") }
        let adopted = try adoptions()
        #expect(try Channel(descriptor: dup(ready)).line() == "ready")
        mapRecords()
        return adopted
    }

    /// What a supervisor that has just said `serving` adopts.
    func adoptions() throws -> [String] {
        var lines: [String] = []
        while true {
            let line = try answers.line()
            if line == "adopted all" { return lines }
            lines.append(line)
        }
    }

    private func mapRecords() {
        orch_records_unmap(&records)
        if records.fd > 0 { close(records.fd) }
        _ = orch_records_map(open(directory + "/spawns", O_RDWR | O_CLOEXEC), &records)
    }

    var controlGroup: String { String(cString: orch_records_cgroup(&records)) }
    var keeper: Int32 { records.header.pointee.keeper_pid }
    var supervisor: Int32 { records.header.pointee.supervisor_pid }

    var supervisorState: Int { Int(records.header.pointee.supervisor_state) }

    /// Woken by the keeper whenever it changes.
    func awaitSupervisorState(_ state: Int) {
        let deadline = ContinuousClock.now + .seconds(10)
        var now = supervisorState
        while now != state, deadline > .now { now = Int(orch_records_await_change(&records, UInt32(now), 1000)) }
        #expect(now == state)
    }

    func tell(_ words: String...) {
        let line = Array((words.joined(separator: "\t") + "\n").utf8)
        _ = write(commands, line, line.count)
    }

    func answer() throws -> String { try answers.line() }

    /// Starts a shell script; returns its pid.
    func start(_ name: String, _ script: String) throws -> Int32 {
        tell("spawn", name, "/", "sh", "-c", script)
        let words = try answer().split(separator: " ").map(String.init)
        try #require(words.count == 3 && words[0] == "spawned" && words[1] == name)
        return try #require(Int32(words[2]))
    }

    /// A process that is killed and has ended.
    /// - Parameter isReaped: also waits until whoever got the orphan has reaped it.
    static func end(_ pid: Int32, isReaped: Bool = false) {
        let descriptor = orch_pidfd_open(pid)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        _ = orch_pidfd_signal(descriptor, SIGKILL)
        awaitEnd(pid)
        for _ in 0..<1000 where isReaped && kill(pid, 0) == 0 { poll(nil, 0, 10) }
    }

    static func awaitEnd(_ pid: Int32) {
        let descriptor = orch_pidfd_open(pid)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&poller, 1, 10_000)
    }

    /// Says goodbye and waits until keeper and supervisor are gone.
    func finish() {
        let keeper = orch_pidfd_open(keeper)
        tell("bye")
        if keeper >= 0 {
            var poller = pollfd(fd: keeper, events: Int16(POLLIN), revents: 0)
            #expect(poll(&poller, 1, 10_000) == 1)
            close(keeper)
        }
    }

    private func carriers(of mark: UInt64) -> [Int32] {
        (ProcFile.pids() ?? []).filter { pid in
            var facts = orch_process_facts()
            return orch_process_mark(pid, records.header.pointee.nonce) == mark
                && orch_process_look(pid, &facts) == 0 && facts.state != CChar(UInt8(ascii: "Z"))
        }
    }

    /// Ends whatever is left and proves that nothing is.
    deinit {
        let pids = [keeper, supervisor].filter { $0 > 0 }
        for pid in pids where isOurs(pid) { Self.end(pid) }
        for slot in 0..<records.header.pointee.used_slots {
            let mark = orch_slot_mark_value(&records, slot)
            for _ in 0..<10 {
                for pid in carriers(of: mark) { Self.end(pid) }
            }
            #expect(carriers(of: mark).isEmpty)
        }
        let group = String(cString: orch_records_cgroup(&records))
        if !group.isEmpty {
            for slot in 0..<records.header.pointee.used_slots {
                for generation in 0...64 { _ = rmdir("\(group)/\(slot).\(generation)") }
            }
            _ = rmdir(group)
        }
        orch_records_unmap(&records)
        close(records.fd)
        close(commands)
        close(log)
        for name in ["commands", "answers", "news", "log", "lock", "spawns"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }

    private func isOurs(_ pid: Int32) -> Bool {
        var path = [CChar](repeating: 0, count: 4096)
        let size = readlink("/proc/\(pid)/exe", &path, path.count - 1)
        guard size > 0 else { return false }
        let program = String(decoding: path.prefix(size).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return program.hasPrefix(Self.buildDirectory) || program == Self.keeperProgram
    }

    static let buildDirectory: String = {
        var path = [CChar](repeating: 0, count: 4096)
        let size = readlink("/proc/self/exe", &path, path.count - 1)
        let own = String(decoding: path.prefix(max(0, size)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(own[..<(own.lastIndex(of: "/") ?? own.endIndex)])
    }()

    static func program(_ name: String) -> String { "\(buildDirectory)/\(name)" }

    /// Also one built otherwise: with the sanitizers.
    static let keeperProgram =
        getenv("ORCHESTRATE_TEST_KEEPER").map { String(cString: $0) } ?? program("orchestrate-keeper")

    static func makeDirectory() throws -> String {
        var template = Array("/tmp/process-tests-XXXXXX".utf8CString)
        let made = mkdtemp(&template)
        return String(cString: try #require(made))
    }
}

/// Lines from a FIFO, waited for.
final class Channel {
    struct Silence: Error {}

    private let descriptor: Int32
    private var bytes: [UInt8] = []

    init(path: String) throws {
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        try #require(descriptor >= 0)
    }

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    func line() throws -> String {
        while true {
            if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                defer { bytes.removeSubrange(...end) }
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 20_000) == 1 else { throw Silence() }
            var piece = [UInt8](repeating: 0, count: 4096)
            let size = read(descriptor, &piece, piece.count)
            guard size > 0 else { throw Silence() }
            bytes += piece[..<size]
        }
    }

    func pid() throws -> Int32 { try #require(Int32(try line())) }
}
