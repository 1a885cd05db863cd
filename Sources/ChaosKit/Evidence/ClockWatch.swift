/// What the commands show of times while the wall clock jumps.
struct ClockWatch {
    let stage: Stage
    let clock: ShiftedClock
    private let began = ContinuousClock.now

    init(_ stage: Stage, _ clock: ShiftedClock) {
        self.stage = stage
        self.clock = clock
    }

    /// Seconds; the load was up a little earlier.
    private var age: Double { (ContinuousClock.now - began) / .seconds(1) + 30 }

    private func ask(_ words: String...) throws -> [Substring] { try ask(words) }

    private func ask(_ words: [String]) throws -> [Substring] {
        let ended = try stage.end(stage.start(words))
        if ended.status != 0 { stage.fault("\(words) ended with \(ended.status): \(ended.everything)") }
        return ended.output.split(separator: "\n")
    }

    /// No instant it shows lies ahead, or before the project.
    func status() throws {
        let status = try ask("status", "--json").joined(separator: "\n")
        for key in ["since", "started_at", "supervisor_started_at"] {
            let instants = ShiftedClock.instants(of: key, in: status)
            if instants.isEmpty { stage.fault("status shows no \(key)") }
            for ago in instants.map({ clock.now - $0 }) where ago < -1 || ago > age {
                stage.fault("status says \(key) \(ago) s ago")
            }
        }
    }

    /// They keep their order, whatever the clock said.
    func events() throws {
        let numbers = try ask("events").compactMap { $0.number("sequence") }
        if numbers.isEmpty { stage.fault("no events") }
        if zip(numbers, numbers.dropFirst()).contains(where: { $0 >= $1 }) { stage.fault("events are out of order") }
    }

    private struct Line: Hashable {
        let life: String
        let number: Int
        let time: Double
    }

    /// The lines of a life are shown as it wrote them, and `--since` shows those with such a time and no others. Of those
    /// that write much, only the last are looked at.
    func logs() throws {
        try expectOrder(of: lines(of: ask("logs", "writer", "--json", "-n", "300")))
        let some = ["logs", "executed", "parent", "again", "--json"]
        let all = try lines(of: ask(some))
        expectOrder(of: all)
        try expectSince(all, some)
    }

    private func expectOrder(of all: [Line]) {
        if all.isEmpty { stage.fault("no lines") }
        for (life, lines) in Dictionary(grouping: all, by: \.life) {
            let numbers = lines.map(\.number)
            // What repeats after the loss of a supervisor is said in the log.
            let isOrdered = zip(numbers, numbers.dropFirst()).allSatisfy { $1 <= $0 + 1 }
            if !isOrdered { stage.fault("lines of \(life) are out of order") }
        }
    }

    private func expectSince(_ all: [Line], _ words: [String]) throws {
        let since = 600.0
        let before = clock.now
        let shown = try lines(of: ask(words + ["--since", "\(Int(since))s"]))
        let wrong = shown.filter { $0.time < before - since - 1 }
        if let first = wrong.first { stage.fault("--since shows \(wrong.count) older lines: \(first)") }
        let missing = Set(all.filter { $0.time > clock.now - since + 1 }).subtracting(shown)
        if let first = missing.first { stage.fault("--since leaves out \(missing.count) lines: \(first)") }
    }

    private func lines(of output: [Substring]) -> [Line] {
        output.compactMap { line in
            guard let time = line.field("time").flatMap(ShiftedClock.seconds), let text = line.field("text"),
                let instance = line.field("instance")
            else { return nil }
            let words = text.split(separator: " ")
            guard words.count > 3, words[0] == "#chaos", let number = Int(words[2]) else { return nil }
            return Line(life: "\(instance) \(words[1])", number: number, time: time)
        }
    }

    /// What is written now carries the time that the clock shows: it is the supervisor's clock that jumps.
    func expectShown(in instance: String) throws {
        let log = stage.sandbox.stateDirectory.map { "\($0)/logs/\(instance).log" } ?? ""
        let isShown = stage.within(seconds: 10) {
            let last = File.text(log).split(separator: "\n").last?.prefix { $0 != " " }
            return last.flatMap(ShiftedClock.seconds).map { abs($0 - clock.now) < 5 } ?? false
        }
        if !isShown { stage.fault("\(log) does not carry the time of the clock that jumps") }
    }
}
