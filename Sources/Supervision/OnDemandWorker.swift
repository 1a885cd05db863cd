import Synchronization

/// Does what it is given, one after the other, on a thread that lives only while there is any.
package final class OnDemandWorker<Work: Sendable>: Sendable {
    private struct State {
        var waiting = WorkQueue<Work>()
        var isRunning = false
    }

    private let name: String
    private let perform: @Sendable (Work) -> Void
    private let state = Mutex(State())

    /// - Parameter name: the thread's.
    package init(name: String, perform: @escaping @Sendable (Work) -> Void) {
        self.name = name
        self.perform = perform
    }

    /// Never waits. Throws where there can be no thread now: what waits is done with the next that is given, unless it is
    /// taken back.
    package func add(_ work: Work) throws(SystemError) {
        let mustStart = state.withLock { state in
            state.waiting.append(work)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard mustStart else { return }
        do throws(SystemError) {
            try WorkerThread(name: name) { [self] in while let work = next() { perform(work) } }.detach()
        } catch {
            state.withLock { $0.isRunning = false }
            throw error
        }
    }

    private func next() -> Work? {
        state.withLock { state in
            let work = state.waiting.take()
            state.isRunning = work != nil
            return work
        }
    }

    /// What waits, and is not done any more.
    package func takeBack() -> [Work] {
        state.withLock { state in
            var all: [Work] = []
            while let work = state.waiting.take() { all.append(work) }
            return all
        }
    }
}
