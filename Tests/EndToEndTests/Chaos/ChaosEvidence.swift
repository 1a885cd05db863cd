import Glibc

/// What the sidecars of a round left in their directory, each by itself and whatever became of it.
struct ChaosEvidence {
    struct Life: Hashable {
        let instance: String
        let pid: pid_t
        let startTime: UInt64
        let written: Int
        /// The code it ended with by itself.
        let told: Int?

        var id: String { "\(pid).\(startTime)" }
        var isAlive: Bool { ProcessTable.process(pid, environment: [:])?.startTime == startTime }
    }

    let directory: String

    init(in sandbox: Sandbox) {
        directory = "\(sandbox.directory)/chaos"
        for folder in ["", "/locks", "/lives", "/children"] { mkdir(directory + folder, 0o777) }
    }

    var shouts: [String] { File.text("\(directory)/shouts").split(separator: "\n").map(String.init) }

    var lives: [Life] { read("lives") }

    var descendants: [Life] { read("children") }

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

/// What the supervision wrote down of the same lives.
struct ChaosRecord {
    /// By life: the numbers of the lines, in their order.
    private(set) var lines: [String: [Int]] = [:]
    private(set) var torn: [String] = []
    /// By life: which incarnation of its instance it was.
    private(set) var incarnations: [String: Int] = [:]
    /// By instance and incarnation: the exits in the journal.
    private var exits: [String: [String]] = [:]
    /// Those that were asked to stop, and whose exit need not be told.
    private var asked: Set<String> = []

    init(of sandbox: Sandbox, instances: Set<String>, events: String) {
        let state = "\(sandbox.directory)/state/orchestrate"
        for project in Directory.entries(state) {
            for instance in instances { read(instance, File.text("\(state)/\(project)/logs/\(instance).log")) }
        }
        for line in events.split(separator: "\n") { readEvent(line) }
    }

    /// A line is a time, a stream, F or P, and the text.
    private mutating func read(_ instance: String, _ log: String) {
        var incarnation = 0
        for line in log.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3)
            guard words.count == 4 else {
                torn.append("\(instance): \(line)")
                continue
            }
            let text = words[3].split(separator: " ", omittingEmptySubsequences: false)
            if words[1] == "system" {
                if text[0] == "incarnation", text.count > 1 { incarnation = Int(text[1]) ?? incarnation }
                continue
            }
            guard words[2] == "F", text.count == 5, text[0] == "#chaos", text[4] == "#end", let number = Int(text[2])
            else {
                torn.append("\(instance): \(line)")
                continue
            }
            let life = "\(instance).\(text[1])"
            lines[life, default: []].append(number)
            if incarnations[life] == nil { incarnations[life] = incarnation }
        }
    }

    private mutating func readEvent(_ line: Substring) {
        guard let shown = line.field("instance"), let cause = line.field("cause"),
            let incarnation = line.number("incarnation")
        else { return }
        let instance = shown.contains("/") ? shown.replacing("/", with: ".") : "\(shown).0"
        let key = "\(instance) \(incarnation)"
        let isExit = cause.hasPrefix("exit ") || cause.hasPrefix("signal ") || cause.hasPrefix("killed ")
        if isExit { exits[key, default: []].append(String(cause)) }
        if line.field("to") == "stopping", line.field("initiator") != "exit" { asked.insert(key) }
    }

    /// Whether the journal contradicts what this life says it ended with, or does not know.
    func fault(in life: ChaosEvidence.Life, unknownAllowed: Bool) -> String? {
        guard let told = life.told, let incarnation = incarnations["\(life.instance).\(life.id)"] else { return nil }
        let key = "\(life.instance) \(incarnation)"
        if asked.contains(key) { return nil }
        guard let known = exits[key] else {
            return unknownAllowed ? nil : "\(key) (\(life.id)) exited \(told), and the journal does not say so"
        }
        let isRight = known.contains { cause in
            cause == "exit \(told)" || cause.hasPrefix("exit \(told),")
                || (unknownAllowed && cause.hasPrefix("exit status unknown"))
        }
        return isRight ? nil : "\(key) (\(life.id)) exited \(told), and the journal says \(known)"
    }
}

extension Substring {
    /// The text of a key in a line of JSON.
    fileprivate func field(_ key: String) -> Substring? {
        guard let start = firstRange(of: "\"\(key)\":\"")?.upperBound else { return nil }
        return self[start...].prefix { $0 != "\"" }
    }

    fileprivate func number(_ key: String) -> Int? {
        guard let start = firstRange(of: "\"\(key)\":")?.upperBound else { return nil }
        return Int(self[start...].prefix { $0.isNumber })
    }
}
