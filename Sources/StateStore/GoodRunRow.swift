/// What a sidecar was declared with when an instance of it was last well: to tell what has changed since.
package struct GoodRunRow: Hashable, Sendable {
    package var sidecar: String
    /// Microseconds since 1970.
    package var atWall: Int64
    /// By manifest key, those that were not the default.
    package var fingerprints: [String: UInt64]

    package init(sidecar: String, atWall: Int64, fingerprints: [(key: String, value: UInt64)]) {
        self.sidecar = sidecar
        self.atWall = atWall
        self.fingerprints = Dictionary(fingerprints.map { ($0.key, $0.value) }) { first, _ in first }
    }

    /// The keys that say something else now, in order.
    package func changes(to now: [(key: String, value: UInt64)]) -> [String] {
        let now = Dictionary(now.map { ($0.key, $0.value) }) { first, _ in first }
        return Set(now.keys).union(fingerprints.keys).filter { now[$0] != fingerprints[$0] }.sorted()
    }

    /// `command=1f… env=2a…`
    fileprivate var stored: String {
        fingerprints.sorted { $0.key < $1.key }.map { "\($0.key)=\(String($0.value, radix: 16))" }
            .joined(separator: " ")
    }

    fileprivate init(sidecar: String, atWall: Int64, stored: String) {
        self.sidecar = sidecar
        self.atWall = atWall
        fingerprints = [:]
        for part in stored.split(separator: " ") {
            let sides = part.split(separator: "=")
            guard sides.count == 2, let value = UInt64(sides[1], radix: 16) else { continue }
            fingerprints[String(sides[0])] = value
        }
    }
}

extension StateStore {
    package func save(_ run: GoodRunRow) throws(StoreError) {
        try database.run(
            "INSERT OR REPLACE INTO good_runs VALUES (?, ?, ?)",
            [.text(run.sidecar), .integer(run.atWall), .text(run.stored)])
    }

    /// Nil when it never was, or the journal was last written by a program that kept no note of it.
    package func goodRun(of sidecar: String) -> GoodRunRow? {
        var found: GoodRunRow?
        try? database.run("SELECT at_wall, fingerprints FROM good_runs WHERE sidecar = ?", [.text(sidecar)]) {
            found = GoodRunRow(sidecar: sidecar, atWall: $0.integer(0), stored: $0.text(1))
        }
        return found
    }
}
