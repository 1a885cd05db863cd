import StateStore
import SupervisorDaemon
import Testing

struct CheckpointsTests {
    private let file: JournalFile

    init() throws { file = try JournalFile() }

    @Test func `a log that has grown is checkpointed without the one who writes it`() throws {
        let path = file.path
        let store = try StateStore(writing: path)
        let checkpoints = Checkpoints(path: path)
        for _ in 0..<2 {
            var longest = 0
            while longest < 1000 {
                try store.commit { () throws(StoreError) in try store.append(.failure(of: 2)) }
                longest = store.pagesInLog
                checkpoints.note(longest)
            }
            // Nothing was committed meanwhile: all was moved, and the log begins anew.
            checkpoints.finish()
            try store.commit { () throws(StoreError) in try store.append(.failure(of: 2)) }
            checkpoints.note(store.pagesInLog)
            #expect(store.pagesInLog < 10)
        }
        #expect(try StateStore(reading: path).lastTransition() == store.lastTransition())
    }
}
