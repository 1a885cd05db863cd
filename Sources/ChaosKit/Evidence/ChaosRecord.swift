/// What the supervision wrote down of the sidecars' lives, in logs and journal.
struct ChaosRecord {
    /// By life: the numbers of the lines, in their order.
    private(set) var lines: [String: [Int]] = [:]
    private(set) var torn: [String] = []
    /// By life: which incarnation of its instance it was.
    private var incarnations: [String: Int] = [:]
    /// By instance and incarnation: the exits in the journal.
    private var exits: [String: [String]] = [:]
    /// Those that were asked to stop, and whose exit need not be told.
    private var asked: Set<String> = []
    /// By instance: what its log says of itself, and whose lines come in between.
    private(set) var stories: [String: [String]] = [:]

    init(of sandbox: Sandbox, instances: Set<String>, events: String) {
        if let directory = sandbox.stateDirectory.map({ "\($0)/logs" }) {
            let names = Directory.entries(directory).sorted()
            for instance in instances { read(instance, in: directory, names) }
        }
        for line in events.split(separator: "\n") { readEvent(line) }
    }

    /// The rotated files carry the time of their rotation, and come before the one being written.
    private mutating func read(_ instance: String, in directory: String, _ names: [String]) {
        let rotated = names.filter { $0.hasPrefix("\(instance).2") && $0.hasSuffix("Z.log") }
        var incarnation = 0
        for name in rotated + ["\(instance).log"] {
            for line in File.text("\(directory)/\(name)").split(separator: "\n") {
                read(line, of: instance, &incarnation)
            }
        }
    }

    /// A line is a time, a stream, F or P, and the text.
    private mutating func read(_ line: Substring, of instance: String, _ incarnation: inout Int) {
        let words = line.split(separator: " ", maxSplits: 3)
        guard words.count == 4 else {
            torn.append("\(instance): \(line)")
            return
        }
        let text = words[3].split(separator: " ", omittingEmptySubsequences: false)
        if words[1] == "system" {
            stories[instance, default: []].append(String(line))
            if text[0] == "incarnation", text.count > 1 { incarnation = Int(text[1]) ?? incarnation }
            return
        }
        guard words[2] == "F", text.count == 5, text[0] == "#chaos", text[4] == "#end", let number = Int(text[2]) else {
            torn.append("\(instance): \(line)")
            return
        }
        let life = "\(instance).\(text[1])"
        lines[life, default: []].append(number)
        let isFirst = incarnations[life] == nil
        if isFirst { stories[instance, default: []].append("\(words[0]) \(life) from \(number)") }
        if isFirst { incarnations[life] = incarnation }
    }

    private mutating func readEvent(_ line: Substring) {
        guard let shown = line.field("instance"), let cause = line.field("cause"),
            let incarnation = line.number("incarnation")
        else { return }
        let instance = shown.contains("/") ? shown.replacing("/", with: ".") : "\(shown).0"
        let key = "\(instance) \(incarnation)"
        let isExit = cause.hasPrefix("exit ") || cause.hasPrefix("SIG") || cause.hasPrefix("signal ")
        if isExit { exits[key, default: []].append(String(cause)) }
        if line.field("to") == "stopping", line.field("initiator") != "exit" { asked.insert(key) }
    }

    /// Whether the journal contradicts how this life ended, or does not know.
    ///
    /// - Parameter end: `exit 7`, `SIGKILL`.
    func fault(in life: ChaosEvidence.Life, endedBy end: String, unknownAllowed: Bool) -> String? {
        guard let incarnation = incarnations["\(life.instance).\(life.id)"] else { return nil }
        let key = "\(life.instance) \(incarnation)"
        if asked.contains(key) { return nil }
        guard let known = exits[key] else {
            return unknownAllowed ? nil : "\(key) (\(life.id)) ended by \(end), and the journal does not say so"
        }
        let isRight = known.contains { cause in
            cause == end || cause.hasPrefix("\(end),")
                || (unknownAllowed && cause.hasPrefix("exit status unknown"))
        }
        return isRight ? nil : "\(key) (\(life.id)) ended by \(end), and the journal says \(known)"
    }
}
