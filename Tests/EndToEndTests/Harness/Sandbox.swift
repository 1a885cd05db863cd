import Glibc
import Testing

/// A project in a directory of its own, run by the real programs. Everything that is started in it carries a mark in its
/// environment, by which the test finds it again from outside.
final class Sandbox {
    let directory: String
    let programs: String
    /// Whom the programs run as. Nil: who runs the tests.
    let user: UInt32?

    /// The mark that every process of this sandbox inherits.
    static let mark = "ORCHESTRATE_E2E"

    var manifest: String { "\(directory)/sidecars.yaml" }

    private init(user: UInt32?) throws {
        directory = try Directory.makeTemporary()
        programs = Self.builtPrograms
        self.user = user
        chmod(directory, 0o755)
        if let user { chown(directory, user, user) }
    }

    /// Runs `body` in a new sandbox and then proves that nothing of it lives.
    static func run(as user: UInt32? = nil, _ body: (Sandbox) throws -> Void) throws {
        let sandbox = try Sandbox(user: user)
        defer { Directory.remove(sandbox.directory) }
        var failure: (any Error)?
        do { try body(sandbox) } catch { failure = error }
        if failure != nil {
            _ = try? sandbox.orchestrate("down", "-f", sandbox.manifest)
        } else {
            try? sandbox.eventually("keeper and supervisor are gone too") { sandbox.processes.isEmpty }
        }
        for process in sandbox.processes { process.kill() }
        if let failure { throw failure }
    }

    /// Writes the manifest; `SIDECARS` is where it begins, as every manifest begins alike.
    func declare(_ sidecars: String, top: String = "") throws {
        try File.write(
            """
            version: 1
            \(top)
            defaults:
              start: { settle: 0s }
              restart: { delay: 0s }
              stop: { grace: 5s }
              env: { SIDECAR: "${sidecar.name}" }
            sidecars:
            \(sidecars)

            """, to: manifest)
    }

    func start(_ arguments: String...) throws -> Program { try start(arguments) }

    func start(
        _ arguments: [String], environment: [String: String] = [:], onTerminal: Bool = false
    ) throws -> Program {
        try start(
            program: ["\(programs)/orchestrate"] + arguments, environment: environment, onTerminal: onTerminal)
    }

    /// Starts any program as the sandbox's user, with the sandbox's mark.
    func start(
        program: [String], environment: [String: String] = [:], onTerminal: Bool = false
    ) throws -> Program {
        var words = program
        if let user { words = ["setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups"] + words }
        let variables = [
            "PATH": Self.path, "HOME": directory, "LANG": "C.UTF-8", "NO_COLOR": "1",
            "XDG_STATE_HOME": "\(directory)/state", "TMPDIR": directory, Self.mark: directory,
        ].merging(environment) { _, own in own }
        return try Program(words, directory: directory, environment: variables, onTerminal: onTerminal)
    }

    /// Runs a command to its end.
    func orchestrate(_ arguments: String..., within seconds: Int = 60) throws -> Program.Ended {
        try start(arguments).end(within: seconds)
    }

    /// Runs a command that is to succeed.
    @discardableResult
    func succeed(
        _ arguments: String..., within seconds: Int = 60, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let ended = try start(arguments).end(within: seconds)
        let sentence = "orchestrate \(arguments.joined(separator: " ")): \(ended.everything)"
        try #require(ended.status == 0, "\(sentence)", sourceLocation: sourceLocation)
        return ended.output
    }

    // MARK: From outside

    var processes: [SeenProcess] { ProcessTable.processes(with: Self.mark, directory) }

    /// What runs on behalf of sidecars, whatever it did to its environment: the mark, or descent from the keeper.
    var family: Set<SeenProcess> {
        guard let keeper else { return Set(sidecars()) }
        let all = ProcessTable.all()
        var found: Set<pid_t> = [keeper.pid]
        while case let more = all.filter({ found.contains($0.parent) && !found.contains($0.pid) }), !more.isEmpty {
            found.formUnion(more.map(\.pid))
        }
        found.subtract([keeper.pid, supervisor?.pid ?? 0, guardian?.pid ?? 0])
        return Set(all.filter { found.contains($0.pid) }).union(sidecars())
    }

    var keeper: SeenProcess? {
        processes.first { $0.executable == "orchestrate-keeper" && $0.arguments.first != "orchestrate-guard" }
    }

    /// The keeper's program, in its other life.
    var guardian: SeenProcess? { processes.first { $0.arguments.first == "orchestrate-guard" } }

    var supervisor: SeenProcess? {
        guard let keeper else { return nil }
        return processes.first { $0.executable == "orchestrate" && $0.parent == keeper.pid }
    }

    /// Kills keeper and supervisor at the same instant, as far as they are concerned: the one that is left for a moment
    /// can't start the other again. With the guard: that one too.
    func killSupervision(withGuard: Bool = false) throws {
        let parts = [keeper, supervisor] + (withGuard ? [guardian] : [])
        let all = try parts.map { try #require($0) }
        for process in all { process.signal(SIGSTOP) }
        for process in all { process.kill() }
        try eventually("they are gone") { all.allSatisfy { ProcessTable.process($0.pid) != $0 } }
    }

    /// What runs on behalf of a sidecar, or of all of them: all but the programs of ours. One that is just being
    /// executed shows its environment, and so whose it is, a moment later than its supervisor knows of it.
    func sidecars(_ name: String? = nil) -> [SeenProcess] {
        processes.filter { !$0.executable.hasPrefix("orchestrate") && (name == nil || $0.sidecar == name) }
            .sorted { ($0.pid, $0.startTime) < ($1.pid, $1.startTime) }
    }

    /// Looks again and again until it holds; what is looked at is outside of the test and tells nobody when it changes.
    func eventually(
        _ what: String, within seconds: Int = 20, sourceLocation: SourceLocation = #_sourceLocation,
        _ holds: () throws -> Bool
    ) throws {
        let deadline = Deadline(seconds: seconds)
        while try !holds() {
            guard deadline.milliseconds != nil else {
                let now = processes.map(\.description).joined(separator: "\n")
                try #require(Bool(false), "not within \(seconds) s: \(what)\n\(now)", sourceLocation: sourceLocation)
                return
            }
            poll(nil, 0, 10)
        }
    }

    // MARK: Where things are

    /// The package's directory.
    static let package = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
        .joined(separator: "/")

    /// The system's own programs: a shim in somebody's PATH is one more process, or one that another user cannot read.
    static let path = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

    /// Beside the test bundle, where the build puts them; or where the environment says.
    static let builtPrograms: String = {
        if let given = getenv("ORCHESTRATE_BIN") { return String(cString: given) }
        guard let path = realpath("/proc/self/exe", nil) else { return ".build/debug" }
        defer { free(path) }
        return String(cString: path).split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
    }()
}

/// How many rounds the tests with random instants take. `make chaos` asks for more.
let rounds = getenv("ORCHESTRATE_CHAOS_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 3
