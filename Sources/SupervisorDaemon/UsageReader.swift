import SidecarModel
import Supervision

/// Reads what processes use, on a thread of its own: of a thousand it takes some 60 ms, and the threads that spawn may be
/// held by a dead mount.
final class UsageReader: Sendable {
    typealias Usages = [ProcessID: ProcessUsage]

    private struct Question: Sendable {
        var search: MemberSearch
        var answer: @Sendable (Usages) -> Void
    }

    private let worker = OnDemandWorker<Question>(name: "usage") { question in
        question.answer((question.search.run() ?? [:]).mapValues { ProcessUsage(pids: $0) })
    }

    /// - Parameter answer: called on the reader's thread, or at once with nothing where there can be none.
    func read(_ search: MemberSearch, answer: @escaping @Sendable (Usages) -> Void) {
        do throws(SystemError) {
            try worker.add(Question(search: search, answer: answer))
        } catch {
            for question in worker.takeBack() { question.answer([:]) }
        }
    }
}
