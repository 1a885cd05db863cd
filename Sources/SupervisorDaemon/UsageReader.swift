import SidecarModel
import Supervision
import Synchronization

/// Reads what processes use, on a thread of its own: of a thousand it takes some 60 ms, and the threads that spawn may be
/// held by a dead mount. One at a time, in the order they were asked for; there is no thread while nobody asks.
final class UsageReader: Sendable {
    typealias Usages = [ProcessID: ProcessUsage]

    private struct Question: Sendable {
        var search: MemberSearch
        var answer: @Sendable (Usages) -> Void
    }

    private struct State {
        var questions = WorkQueue<Question>()
        var isReading = false
    }

    private let state = Mutex(State())

    /// - Parameter answer: called on the reader's thread, or at once with nothing where there can be none.
    func read(_ search: MemberSearch, answer: @escaping @Sendable (Usages) -> Void) {
        let isFirst = state.withLock { state in
            state.questions.append(Question(search: search, answer: answer))
            defer { state.isReading = true }
            return !state.isReading
        }
        guard isFirst else { return }
        do throws(SystemError) {
            try WorkerThread(name: "usage") { while let question = self.next() { Self.answer(question) } }.detach()
        } catch {
            while let question = next() { question.answer([:]) }
        }
    }

    private func next() -> Question? {
        state.withLock { state in
            let question = state.questions.take()
            state.isReading = question != nil
            return question
        }
    }

    private static func answer(_ question: Question) {
        question.answer((question.search.run() ?? [:]).mapValues { ProcessUsage(pids: $0) })
    }
}
