import Glibc

/// What the sidecars of a stage left in their directory, each by itself and whatever became of it.
struct ChaosEvidence {
    struct Life: Hashable {
        let instance: String
        let pid: pid_t
        let startTime: UInt64
        let written: Int
        /// The code it ended with by itself.
        let told: Int?

        /// One of many of its instance, whose end is not told by the journal.
        var servesClient: Bool { instance.hasPrefix(ChaosEvidence.ofClients) }
        var id: String { "\(pid).\(startTime)" }
        var process: SeenProcess? {
            guard let seen = ProcessTable.process(pid, environment: [:]), seen.startTime == startTime else {
                return nil
            }
            return seen
        }
        var isAlive: Bool { process != nil }
    }

    /// How the names of those begin that run a process for each client.
    static let ofClients = "client"

    let directory: String
    /// The sidecars' program, in a place of its own: whoever runs it belongs to this stage, whatever it did to its
    /// environment, session or parents.
    let program: String

    init(in sandbox: Sandbox) throws {
        directory = "\(sandbox.directory)/chaos"
        program = "\(directory)/chaos-sidecar"
        // For sidecars of other users too.
        for folder in ["", "/locks", "/lives", "/children"] {
            mkdir(directory + folder, 0o777)
            chmod(directory + folder, 0o777)
        }
        try File.write("", to: "\(directory)/shouts", mode: 0o666)
        try File.copy("\(Sandbox.builtPrograms)/chaos-sidecar", to: program)
    }

    var shouts: [String] { File.text("\(directory)/shouts").split(separator: "\n").map(String.init) }

    /// All of the sidecars that live now: leaders, descendants, and what has only just been forked.
    var everyone: [SeenProcess] { ProcessTable.processes(executing: program) }

    var lives: [Life] { read("lives") }

    var descendants: [Life] { read("children") }

    var leaders: [Life] { lives.filter(\.isAlive) }

    private func read(_ folder: String) -> [Life] {
        Directory.entries("\(directory)/\(folder)").compactMap { name in
            // sidecar.replica.pid.start
            let parts = name.split(separator: ".")
            guard parts.count == 4, let pid = pid_t(parts[2]), let start = UInt64(parts[3]) else { return nil }
            let facts = Self.facts("\(directory)/\(folder)/\(name)")
            let told = facts.count == 2 && facts[1] >= 0 ? Int(facts[1]) : nil
            return Life(
                instance: "\(parts[0]).\(parts[1])", pid: pid, startTime: start,
                written: facts.first.map(Int.init) ?? 0, told: told)
        }
    }

    /// The two numbers of a `struct life`; none of one that was killed before it wrote them.
    private static func facts(_ path: String) -> [Int64] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var numbers: [Int64] = [0, -1]
        return fread(&numbers, 8, 2, file) == 2 ? numbers : []
    }
}
