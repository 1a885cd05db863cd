import Glibc
import SidecarModel
import Supervision

/// A pump with a loop that waits for what it reports.
final class PumpBench {
    let directory: TemporaryDirectory
    let loop: EventLoop
    let pump: LogPump
    private(set) var events: [String] = []
    private var token: UInt64 = 1000
    /// Somebody writes on when it ends.
    var leavesSidecars = false

    init(in directory: TemporaryDirectory = TemporaryDirectory()) throws {
        self.directory = directory
        let loop = try EventLoop()
        let inbox = Inbox()
        let mailbox = loop.mailbox(of: LogEvent.self) { inbox.handler?($0) }
        self.loop = loop
        pump = try LogPump(stateDirectory: directory.path) { mailbox.send($0) }
        inbox.handler = { [unowned self] in take($0) }
    }

    deinit {
        pump.stop()
        if !leavesSidecars { pump.discardFifos() }
    }

    private final class Inbox { var handler: ((LogEvent) -> Void)? }

    private func take(_ event: LogEvent) {
        switch event {
        case .matched(let token): events.append("matched \(token)")
        case .drained(let token): events.append("drained \(token)")
        case .held(let token): events.append("held \(token)")
        case .refused(let instance, _, _): events.append("refused \(instance)")
        case .accepted(let instance): events.append("accepted \(instance)")
        case .dropped(let instance, let lines, _): events.append("dropped \(instance) \(lines)")
        case .repeated(let instance, let lines): events.append("repeated \(instance) \(lines)")
        case .failed(let instance, let error): events.append("failed \(instance) \(error)")
        }
        loop.stop()
    }

    /// Waits until it was reported.
    func wait(for event: String) throws { while !events.contains(event) { try loop.run() } }

    func drain(_ instance: LogInstance) throws {
        token += 1
        pump.drain(instance, token: token)
        try wait(for: "drained \(token)")
        events.removeAll { $0 == "drained \(token)" }
    }

    /// Leaves its standard output to the test.
    func hold(_ instance: LogInstance) throws {
        token += 1
        pump.hold(instance, token: token)
        try wait(for: "held \(token)")
        events.removeAll { $0 == "held \(token)" }
    }

    func log(_ instance: LogInstance) -> [LogLine] { directory.log(of: instance) }

    /// The lines of all files of the instance, oldest first.
    func allLines(_ instance: LogInstance) throws -> [LogLine] {
        let source = LogSource(instance: instance, directory: directory.path + "/logs")
        var lines: [LogLine] = []
        try LogReader([source], query: LogQuery(includesSystem: true)).read { lines.append($0.line) }
        return lines
    }
}

extension TemporaryDirectory {
    /// What the present file of an instance says.
    func log(of instance: LogInstance) -> [LogLine] {
        lines("logs/" + instance.fileName).map { line in Array(line.utf8).withUnsafeBytes { LogLine(parsing: $0) } }
    }
}

/// Writes it all, waiting while the FIFO is full.
func write(_ text: String, to fd: Int32) {
    var text = text
    text.withUTF8 { bytes in
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(fd, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            if count <= 0 { return }
            done += count
        }
    }
}
