/// A manifest by chance, and its edits.
struct StormManifest {
    struct Sidecar {
        let name: String
        let isTask: Bool
        var replicas = 1
        var dependencies: [String] = []
        /// A process for each client.
        var servesClients = false
        /// What the program is told to do.
        var options: [String] = []
        /// Further lines of its manifest.
        var lines: [String] = []
        /// An edit that needs a restart raises it.
        var edition = 0
    }

    private(set) var sidecars: [Sidecar] = []
    private var named = 0
    private let stopsWithSupervision: Bool
    private let program: String
    private let directory: String
    private let hasClients: Bool

    init(program: String, directory: String, hasClients: Bool, by chance: inout Chance) {
        self.program = program
        self.directory = directory
        self.hasClients = hasClients
        stopsWithSupervision = chance.next(below: 2) == 0
        for _ in 0..<3 + chance.next(below: 4) { add(by: &chance) }
        if hasClients { addForClients(by: &chance) }
    }

    /// Those that clients may come to.
    var doors: [String] { sidecars.filter(\.servesClients).map(\.name) }

    var top: String { "supervisor: { on_exit: \(stopsWithSupervision ? "stop" : "keep") }" }

    var text: String {
        sidecars.map { sidecar in
            let options = sidecar.options.map { "\"\($0)\"" }.joined(separator: ", ")
            let instance = "${sidecar.name}.${replica}"
            var lines = [
                "  \(sidecar.name):",
                "    command: [\(program), \(directory), \"\(instance)\", \(options)]",
                "    replicas: \(sidecar.replicas)",
                "    env: { EDITION: \"\(sidecar.edition)\" }",
            ]
            if sidecar.isTask { lines.append("    kind: task") }
            if !sidecar.dependencies.isEmpty {
                lines.append("    depends_on: [\(sidecar.dependencies.joined(separator: ", "))]")
            }
            return (lines + sidecar.lines.map { "    \($0)" }).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    /// Changes something, and says what.
    mutating func edit(by chance: inout Chance) -> String {
        if hasClients, chance.next(below: 4) == 0 {
            addForClients(by: &chance)
            return "add \(sidecars[sidecars.count - 1].name)"
        }
        let index = chance.next(below: sidecars.count)
        let name = sidecars[index].name
        switch chance.next(below: 4) {
        case 0:
            add(by: &chance)
            return "add \(sidecars[sidecars.count - 1].name)"
        case 1 where sidecars.count > 2:
            sidecars.remove(at: index)
            for other in sidecars.indices { sidecars[other].dependencies.removeAll { $0 == name } }
            return "remove \(name)"
        case 2 where !sidecars[index].isTask && !sidecars[index].servesClients:
            sidecars[index].replicas = 1 + chance.next(below: 3)
            return "\(sidecars[index].replicas) replicas of \(name)"
        default:
            sidecars[index].edition += 1
            return "change \(name)"
        }
    }

    private mutating func addForClients(by chance: inout Chance) {
        var sidecar = Sidecar(name: "\(ChaosEvidence.ofClients)\(named)", isTask: false, servesClients: true)
        named += 1
        let children = chance.next(below: 3)
        let isHidden = chance.next(below: 2)
        let isStubborn = chance.next(below: 2)
        sidecar.options = [
            "talk=1", "deaf=\(chance.next(below: 3) == 0 ? 1 : 0)", "children=\(children)", "hidden=\(isHidden)",
            "stubborn=\(isStubborn)",
        ]
        sidecar.lines = ["stdio: per_client", "stop: { grace: 400ms }"]
        for earlier in sidecars where chance.next(below: 6) == 0 { sidecar.dependencies.append(earlier.name) }
        sidecars.append(sidecar)
    }

    private mutating func add(by chance: inout Chance) {
        let kind = chance.next(below: 8)
        var sidecar = Sidecar(name: "s\(named)", isTask: kind == 0)
        named += 1
        sidecar.options = ["period=\(1 + chance.next(below: 20))"]
        sidecar.lines = [
            "stop: { grace: 400ms }", "restart: { delay: 50ms, jitter: 0, max_attempts: 3 }", "start: { timeout: 20s }",
        ]
        for earlier in sidecars where chance.next(below: 4) == 0 { sidecar.dependencies.append(earlier.name) }
        switch kind {
        case 0:
            let code = chance.next(below: 4) == 0 ? 1 + chance.next(below: 99) : 0
            sidecar.options += ["end=\(1 + chance.next(below: 200))", "code=\(code)"]
        case 1: sidecar.options += ["deaf=1"]
        case 2, 3:
            let isHidden = chance.next(below: 2)
            let isStubborn = chance.next(below: 2)
            sidecar.options += [
                "children=\(1 + chance.next(below: 3))", "hidden=\(isHidden)", "stubborn=\(isStubborn)",
            ]
        case 4: sidecar.options += ["end=\(20 + chance.next(below: 400))", "code=\(1 + chance.next(below: 99))"]
        case 5:
            sidecar.options += ["port=${ports.http}"]
            sidecar.lines += ["ports: { http: auto }", "health: { tcp: http }"]
        case 6:
            // Megabytes, more than a FIFO holds, and an end right after them as likely as not.
            sidecar.options += ["burst=\(1000 + chance.next(below: 30_000))"]
            if chance.isHeads() { sidecar.options += ["end=1", "code=\(1 + chance.next(below: 99))"] }
            sidecar.lines += ["logs: { max_size: 1MiB, max_files: 500 }"]
        default: sidecar.lines += ["health: { log: ^#chaos }"]
        }
        if !sidecar.isTask, chance.next(below: 3) == 0 { sidecar.replicas = 2 }
        sidecars.append(sidecar)
    }
}
