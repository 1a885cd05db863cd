import Glibc
import StateStore
import Supervision
import Synchronization

/// Writes a report of each instance that fails, into `reports` in the state directory, and keeps the newest few of each.
///
/// On a thread that lives only while there is something to write: the loop never waits for it.
final class CrashReporter: Sendable {
    private static let keptOfEach = 3
    /// When a whole project fails at once the first ones tell the story.
    private static let mostWaiting = 32

    private struct State {
        var waiting: [CrashReportSource] = []
        var thread: WorkerThread?
        var isRunning = false
    }

    private let directory: String
    private let state = Mutex(State())

    init(_ location: ProjectLocation) { directory = location.reportsDirectory }

    func report(_ source: CrashReportSource) {
        state.withLock { state in
            guard state.waiting.count < Self.mostWaiting else { return }
            state.waiting.append(source)
            guard !state.isRunning else { return }
            // It has nothing left to do but to return.
            state.thread?.join()
            state.thread = try? WorkerThread(name: "reports") { [self] in run() }
            state.isRunning = state.thread != nil
        }
    }

    /// Waits until what was asked for is written.
    func finish() {
        let thread = state.withLock { state in
            defer { state.thread = nil }
            return state.thread
        }
        thread?.join()
    }

    private func run() {
        while let source = next() {
            guard (try? Directory.create(directory)) != nil else { continue }
            let stem = source.instance.stem
            // A report that can't be written is no reason to fail: `orchestrate report` says why.
            try? source.write(to: "\(directory)/\(stem).\(ReportName.stamp())")
            prune(stem)
        }
    }

    private func next() -> CrashReportSource? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isRunning = false
                return nil
            }
            return state.waiting.removeFirst()
        }
    }

    private func prune(_ stem: String) {
        let names = ReportName.reports(of: stem, in: directory)
        for name in names.dropLast(Self.keptOfEach) { ReportDirectory.remove(directory + "/" + name) }
    }
}

/// `db.0.20261125T201500.123456Z`
package enum ReportName {
    package static func stamp() -> String {
        let time = "\(WallClock.now)"
        return time.filter { $0 != "-" && $0 != ":" }
    }

    /// Oldest first, half-written ones too: they are nobody's by now.
    package static func reports(of stem: String, in directory: String) -> [String] {
        let names = (try? Directory.names(in: directory)) ?? []
        return names.filter { name in
            guard name.hasPrefix(stem + ".") else { return false }
            let rest = name.dropFirst(stem.count + 1)
            return rest.first?.isNumber ?? false && rest.dropFirst(8).first == "T"
        }.sorted()
    }
}
