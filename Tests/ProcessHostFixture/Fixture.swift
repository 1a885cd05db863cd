import Glibc
import Reconciliation
import SidecarModel
import Supervision

/// A supervisor for tests: started by the keeper, told what to do by lines in a FIFO, answering by lines in another.
@main
enum Fixture {
    static func main() throws {
        let arguments = CommandLine.arguments
        let prefix = "--keeper-descriptors="
        guard arguments.count >= 4, let last = arguments.last, last.hasPrefix(prefix),
            let descriptors = KeeperDescriptors(parsing: last.dropFirst(prefix.count))
        else { exit(64) }
        let level: Containment.Level? = arguments[2] == "best" ? nil : Containment.Level(rawValue: arguments[2])
        let session = try Session(directory: arguments[1], descriptors: descriptors, level: level)
        try session.run()
    }
}

final class Session {
    private let loop: EventLoop
    private let host: ProcessHost
    private let descriptors: KeeperDescriptors
    private let commands: Int32
    private let answers: Int32
    private var input: [UInt8] = []
    private var names: [ProcessID: String] = [:]

    init(directory: String, descriptors: KeeperDescriptors, level: Containment.Level?) throws {
        loop = try EventLoop()
        self.descriptors = descriptors
        commands = open(directory + "/commands", O_RDWR | O_CLOEXEC | O_NONBLOCK)
        answers = open(directory + "/answers", O_RDWR | O_CLOEXEC)
        host = try ProcessHost(
            loop: loop, stateDirectory: directory, descriptors: descriptors, containment: level)
    }

    func run() throws {
        host.onExit = { [unowned self] id, status in say("exited \(name(id)) \(status)") }
        host.onEmpty = { [unowned self] id in say("empty \(name(id))") }
        host.onKeeperLost = { [unowned self] in say("keeper lost") }
        _ = try loop.watch(commands, .read) { [unowned self] _ in readCommands() }
        say("serving \(host.containment.level.rawValue)")
        for process in host.adopt() {
            names[process.id] = process.name
            switch process.condition {
            case .alive(let pid): say("adopted \(process.name) alive \(pid)")
            case .exited(let status): say("adopted \(process.name) exited \(status)")
            }
        }
        for held in host.takeReturned() {
            say("returned \(held.key & ~HeldDescriptor.returnedKey) \(path(of: held.descriptor))")
            close(held.descriptor)
        }
        if let ready = descriptors.ready {
            _ = write(ready, "ready\n", 6)
            close(ready)
        }
        host.announceReady()
        say("adopted all")
        try loop.run()
    }

    private func path(of descriptor: Int32) -> String {
        guard let path = realpath("/proc/self/fd/\(descriptor)", nil) else { return "?" }
        defer { free(path) }
        return String(cString: path)
    }

    private func name(_ id: ProcessID) -> String { names[id] ?? "?" }

    private func id(_ name: String) -> ProcessID? { names.first { $0.value == name }?.key }

    private func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(answers, bytes, bytes.count)
    }

    private func readCommands() {
        var piece = [UInt8](repeating: 0, count: 4096)
        let size = read(commands, &piece, piece.count)
        guard size > 0 else { return }
        input += piece[..<size]
        while let end = input.firstIndex(of: UInt8(ascii: "\n")) {
            let line = String(decoding: input[..<end], as: UTF8.self)
            input.removeSubrange(...end)
            obey(line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init))
        }
    }

    private func obey(_ words: [String]) {
        guard let verb = words.first else { return }
        let target = words.count > 1 ? id(words[1]) : nil
        switch (verb, target) {
        case ("spawn", _): spawn(name: words[1], directory: words[2], arguments: Array(words[3...]))
        case ("signal", .some(let id)):
            host.signal(id, Signal(parsing: words[2]) ?? .terminate, to: words[3] == "group" ? .group : .leader)
        case ("clear", .some(let id)): host.clear(id, words.count > 2 ? Signal(parsing: words[2]) : nil)
        case ("kill", .some(let id)): host.kill(id)
        case ("survivors", .some(let id)):
            say("survivors " + host.survivors(of: id).map { "\($0.pid)" }.sorted().joined(separator: " "))
        case ("release", .some(let id)):
            host.release(id)
            names[id] = nil
            say("released \(words[1])")
        case ("storm", _): storm(Int(words[1]) ?? 0)
        case ("hold", _):
            let end = open(words[1], O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            let toReturn = words.count > 2 ? UInt64(words[2]).map { $0 | HeldDescriptor.returnedKey } : nil
            host.hold(key: toReturn ?? 1, [end])
            close(end)
            host.flush()
            say("held")
        case ("drop", _):
            host.drop(key: (UInt64(words[1]) ?? 0) | HeldDescriptor.returnedKey)
            host.flush()
            say("dropped")
        case ("succeed", _):
            let arguments = CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("--keeper-descriptors") }
            let failure = host.becomeKeeper(
                stateDirectory: CommandLine.arguments[1], arguments: Array(arguments), holding: [])
            say("still here \(failure)")
        case ("bye", _):
            host.sayGoodbye()
            exit(0)
        case ("owner", _):
            let owner = Int32(words[1]).flatMap { host.owner(ofPID: $0) }
            say("owner \(owner.map(name) ?? "none")")
        case _: say("unknown \(words.joined(separator: " "))")
        }
    }

    /// Starts so many at once, then kills them all; says how long each took, in microseconds.
    private func storm(_ count: Int) {
        var ids: [ProcessID] = []
        var emptied = 0
        let start = loop.now
        var stop = start
        host.onExit = { [unowned self] id, _ in host.clear(id, .terminate) }
        host.onEmpty = { [unowned self] id in
            host.release(id)
            emptied += 1
            if emptied == count { say("storm over \((loop.now - stop).nanoseconds / 1000)") }
        }
        for number in 0..<count {
            let request = ProcessRequest(
                name: "storm/\(number)", kind: .sidecar, incarnation: 1, arguments: ["sleep", "1000"],
                environment: ["PATH=/usr/bin:/bin"], workingDirectory: "/")
            host.spawn(request) { [unowned self] result in
                guard case .success(let process) = result else { return say("storm failed") }
                ids.append(process.id)
                guard ids.count == count else { return }
                stop = loop.now
                say("storm up \((stop - start).nanoseconds / 1000)")
                for id in ids { host.kill(id) }
            }
        }
    }

    private func spawn(name: String, directory: String, arguments: [String]) {
        var variables: [String] = []
        for key in ["PATH", "NEWS"] {
            if let value = getenv(key) { variables.append(key + "=" + String(cString: value)) }
        }
        let request = ProcessRequest(
            name: name, kind: .sidecar, incarnation: 1, arguments: arguments, environment: variables,
            workingDirectory: directory)
        host.spawn(request) { [unowned self] result in
            switch result {
            case .success(let process):
                names[process.id] = name
                say("spawned \(name) \(process.pid)")
            case .failure(let failure):
                say("failed \(name) \(failure.step.rawValue) \(failure.errno) \(failure.message)")
            }
        }
    }
}
