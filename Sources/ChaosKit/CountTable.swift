/// The closing table of a count, in Markdown.
package struct CountTable {
    private var rows: [[String]] = []
    private var remarks: [String] = []

    private static let head = [
        "what", "rounds", "kills", "orphans", "duplicates", "lost", "torn", "repeated", "lines", "wrong exits",
        "broken",
        "median", "99 of 100", "worst", "", "seed",
    ]

    package init() {}

    package mutating func add(_ scenario: some Scenario, _ tally: Tally, seed: UInt64) {
        let counts = [
            tally.rounds, tally.strikes, tally.orphans, tally.duplicates, tally.lost, tally.torn, tally.repeated,
            tally.lines, tally.wrongExits, tally.broken,
        ]
        let times = [0.5, 0.99, 1].map { share in tally.time(share).map { "\(Int($0.rounded())) ms" } ?? "" }
        rows.append(
            [scenario.name] + counts.map(String.init) + times + [scenario.timed, String(seed)])
        if tally.requests > 0 {
            remarks.append("\(scenario.name): \(tally.requests) requests, \(tally.failedRequests) failed")
        }
        if tally.waits > 0 {
            remarks.append("\(scenario.name): the disk stalled \(tally.waits) times, \(tally.waited / 1000) s in all")
        }
        if tally.escaped > 0 {
            remarks.append("\(scenario.name): \(tally.escaped) escaped without cgroups and keeper, as can be")
        }
    }

    package mutating func skip(_ scenario: some Scenario, _ obstacle: String) {
        rows.append([scenario.name, "skipped"] + Self.head.dropFirst(2).map { _ in "" })
        remarks.append("\(scenario.name): skipped, \(obstacle)")
    }

    package var text: String {
        let all = [Self.head] + rows
        let widths = Self.head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        let lines = all.map { row in
            "| "
                + zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: " | ")
                + " |"
        }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        return ([lines[0], rule] + lines.dropFirst() + remarks).joined(separator: "\n")
    }
}
