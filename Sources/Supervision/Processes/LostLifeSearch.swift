import CProcess
import Glibc

/// What a life of a project left running of which there are no records any more: all that carries the project's mark.
///
/// New records of a state directory mark what is started as those before them did, and nobody else does.
package struct LostLifeSearch: Sendable {
    private let nonce: UInt32
    /// What these name is of a life that is known.
    private let records: SpawnRecords?

    init(nonce: UInt32, besides records: SpawnRecords) {
        self.nonce = nonce
        self.records = records
    }

    /// - Parameter stateDirectory: of the project; need not be there.
    package init(stateDirectory: String) {
        nonce = Self.nonce(ofNewRecordsIn: stateDirectory)
        records = nil
    }

    static func nonce(ofNewRecordsIn stateDirectory: String) -> UInt32 {
        orch_records_nonce(withoutLinks(stateDirectory))
    }

    package var findsAny: Bool { !all().isEmpty }

    private func all() -> [MarkedProcess] {
        MarkedProcess.carrying(nonce) { mark in records.map { !$0.names(mark) } ?? true }
    }

    /// Of those that belong together, the first; the others are found as its descendants.
    package func run() -> StaleSearch.Result {
        let all = all()
        let pids = Set(all.map(\.pid))
        var result = StaleSearch.Result()
        for process in all where process.isAlive {
            var facts = orch_process_facts()
            guard orch_process_look(process.pid, &facts) == 0, !pids.contains(facts.parent) else { continue }
            result.found.append(
                StaleProcess(pid: process.pid, startTime: process.startTime, executable: process.command))
        }
        return result
    }

    private static func withoutLinks(_ path: String) -> String {
        if let resolved = realpath(path, nil) {
            defer { free(resolved) }
            return String(cString: resolved)
        }
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return path }
        return withoutLinks(String(path[..<slash])) + path[slash...]
    }
}
