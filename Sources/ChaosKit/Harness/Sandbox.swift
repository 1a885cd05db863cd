import Glibc

/// A project in a directory of its own, run by the real programs. Everything that is started in it carries a mark in its
/// environment, by which the test finds it again from outside.
package final class Sandbox {
    package let directory: String
    package let programs: String
    /// Whom the programs run as. Nil: who runs the tests.
    package let user: UInt32?

    /// The mark that every process of this sandbox inherits.
    package static let mark = "ORCHESTRATE_E2E"

    package var manifest: String { "\(directory)/sidecars.yaml" }

    /// Its supervision was killed: nobody may be left who could remove its cgroup.
    private var isLost = false

    private init(user: UInt32?, programs: String) throws {
        directory = try Directory.makeTemporary()
        self.programs = programs
        self.user = user
        chmod(directory, 0o755)
        if let user { chown(directory, user, user) }
    }

    /// Runs `body` in a new sandbox and then proves that nothing of it lives.
    package static func run(
        as user: UInt32? = nil, programs: String = builtPrograms, _ body: (Sandbox) throws -> Void
    ) throws {
        let sandbox = try Sandbox(user: user, programs: programs)
        defer { Directory.remove(sandbox.directory) }
        do {
            try body(sandbox)
            try sandbox.eventually("keeper and supervisor are gone too") { sandbox.processes.isEmpty }
            guard let group = sandbox.recordedControlGroup else { return }
            if sandbox.isLost { Directory.remove(group) }
            guard !File.exists(group) else { throw HarnessError("the cgroup \(group) is left") }
        } catch {
            _ = try? sandbox.orchestrate("down", "-f", sandbox.manifest)
            // With those that wrote over their environment, as redis does.
            let left = sandbox.family.union(sandbox.processes)
            // Stopped first, so that none of them starts another one.
            for process in left { process.signal(SIGSTOP) }
            for process in left { process.kill() }
            throw error
        }
    }

    /// Writes the manifest; `SIDECARS` is where it begins, as every manifest begins alike.
    package func declare(_ sidecars: String, top: String = "") throws {
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

    package func start(_ arguments: String...) throws -> Program { try start(arguments) }

    package func start(
        _ arguments: [String], environment: [String: String] = [:], onTerminal: Bool = false
    ) throws -> Program {
        try start(
            program: ["\(programs)/orchestrate"] + arguments, environment: environment, onTerminal: onTerminal)
    }

    /// Starts any program as the sandbox's user, with the sandbox's mark.
    package func start(
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

    /// Starts a script of the shell's, which finds the programs by their names.
    package func shell(_ script: String) throws -> Program {
        try start(program: ["sh", "-c", script], environment: ["PATH": "\(programs):\(Self.path)"])
    }

    /// Runs a command to its end.
    package func orchestrate(_ arguments: String..., within seconds: Int = 60) throws -> Program.Ended {
        try start(arguments).end(within: seconds)
    }

    /// Runs a command that is to succeed.
    @discardableResult
    package func succeed(
        _ arguments: String..., within seconds: Int = 60, file: String = #fileID, line: Int = #line
    ) throws -> String {
        let ended = try start(arguments).end(within: seconds)
        guard ended.status == 0 else {
            throw HarnessError(
                "\(file):\(line): orchestrate \(arguments.joined(separator: " ")) ended with \(ended.status):\n"
                    + ended.everything)
        }
        return ended.output
    }

    // MARK: From outside

    /// Where the one project of this sandbox keeps its state, once it has any.
    package var stateDirectory: String? {
        let root = "\(directory)/state/orchestrate"
        return Directory.entries(root).first { File.exists("\(root)/\($0)/name") }.map { "\(root)/\($0)" }
    }

    package var processes: [SeenProcess] { ProcessTable.processes(with: Self.mark, directory) }

    /// What runs on behalf of sidecars, whatever it did to its environment: the mark, or descent from the keeper.
    package var family: Set<SeenProcess> {
        guard let keeper else { return Set(sidecars()) }
        let all = ProcessTable.all()
        var found: Set<pid_t> = [keeper.pid]
        while case let more = all.filter({ found.contains($0.parent) && !found.contains($0.pid) }), !more.isEmpty {
            found.formUnion(more.map(\.pid))
        }
        found.subtract([keeper.pid, supervisor?.pid ?? 0, guardian?.pid ?? 0])
        return Set(all.filter { found.contains($0.pid) }).union(sidecars())
    }

    package var keeper: SeenProcess? {
        processes.first { $0.executable == "orchestrate-keeper" && $0.arguments.first != "orchestrate-guard" }
    }

    /// The keeper's program, in its other life.
    package var guardian: SeenProcess? { processes.first { $0.arguments.first == "orchestrate-guard" } }

    package var supervisor: SeenProcess? {
        guard let keeper else { return nil }
        return processes.first { $0.executable == "orchestrate" && $0.parent == keeper.pid }
    }

    /// Kills keeper and supervisor at the same instant, as far as they are concerned: the one that is left for a moment
    /// can't start the other again. With the guard: that one too.
    package func killSupervision(withGuard: Bool = false) throws {
        let parts = [keeper, supervisor] + (withGuard ? [guardian] : [])
        let all = parts.compactMap(\.self)
        guard all.count == parts.count else { throw HarnessError("of the supervision only these live: \(all)") }
        isLost = true
        for process in all { process.signal(SIGSTOP) }
        for process in all { process.kill() }
        try eventually("they are gone") { all.allSatisfy { ProcessTable.process($0.pid) != $0 } }
    }

    /// The cgroup of the whole project, while a sidecar runs in one of its own.
    package var controlGroup: String? {
        guard let sidecar = sidecars().first, let group = ProcessTable.controlGroup(of: sidecar.pid) else { return nil }
        guard let cut = group.lastIndex(of: "/"), group[..<cut].contains("/orchestrate-") else { return nil }
        return String(group[..<cut])
    }

    /// The same by the head of its records, also after its end.
    private var recordedControlGroup: String? {
        guard let stateDirectory else { return nil }
        return File.text("\(stateDirectory)/spawns", first: 8192).split(separator: "\0").map(String.init)
            .first { $0.hasPrefix("/") && $0.contains("/orchestrate-") }
    }

    /// What runs on behalf of a sidecar, or of all of them: all but the programs of ours. One that is just being
    /// executed shows its environment, and so whose it is, a moment later than its supervisor knows of it.
    package func sidecars(_ name: String? = nil) -> [SeenProcess] {
        processes.filter { !$0.executable.hasPrefix("orchestrate") && (name == nil || $0.sidecar == name) }
            .sorted { ($0.pid, $0.startTime) < ($1.pid, $1.startTime) }
    }

    /// Waits until it holds.
    package func eventually(
        _ what: String, within seconds: Int = 20, file: String = #fileID, line: Int = #line, _ holds: () throws -> Bool
    ) throws {
        guard try Deadline(seconds: seconds).comes(every: 10, holds) else {
            let now = processes.map(\.description).joined(separator: "\n")
            throw HarnessError("\(file):\(line): not within \(seconds) s: \(what)\n\(now)")
        }
    }

    // MARK: Where things are

    /// The package's directory.
    package static let package = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
        .joined(separator: "/")

    /// The system's own programs: a shim in somebody's PATH is one more process, or one that another user cannot read.
    package static let path = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

    /// Beside the test bundle, where the build puts them; or where the environment says.
    package static let builtPrograms: String = {
        if let given = getenv("ORCHESTRATE_BIN") { return String(cString: given) }
        guard let path = realpath("/proc/self/exe", nil) else { return ".build/debug" }
        defer { free(path) }
        return String(cString: path).split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
    }()
}

/// How many rounds the tests with random instants take. ORCHESTRATE_CHAOS_ROUNDS asks for more.
package let rounds = getenv("ORCHESTRATE_CHAOS_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 3
