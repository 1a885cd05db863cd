import Glibc
import SidecarModel
import Synchronization
import Testing

@testable import Supervision

struct SpawnerTests {
    private func order(_ slot: UInt32, _ prepare: @escaping @Sendable () throws(SpawnFailure) -> StandardDescriptors)
        -> Spawner.Order
    {
        var request = ProcessRequest(
            name: "a/\(slot)", kind: .sidecar, incarnation: 1, arguments: ["sleep", "1"], environment: [],
            workingDirectory: "/")
        request.prepare = prepare
        return Spawner.Order(
            id: ProcessID(slot: slot, generation: 1), request: request, mark: 0, isKeepersChild: false, groups: nil)
    }

    /// Each of these spawns holds a thread until the gate is raised for it, and fails then.
    private func hold(
        _ spawner: Spawner, with slots: Range<UInt32>, at gate: Supervision.Semaphore, _ failure: SpawnFailure
    ) {
        let begun = Semaphore()
        for slot in slots {
            spawner.spawn(
                order(slot) { () throws(SpawnFailure) in
                    begun.raise()
                    gate.wait()
                    throw failure
                })
        }
        for _ in slots { begun.wait() }
    }

    @Test func `what nobody waits for is done after every spawn that is asked for, and not once it ends`() throws {
        let directory = TemporaryDirectory()
        let (gate, isDone) = (Semaphore(), Semaphore())
        let spawner = Spawner(
            records: try SpawnRecords(directory: directory.path), descriptorLimit: 0
        ) { _ in
        }
        try spawner.start()
        let refused = SpawnFailure(step: .log, message: "this is a test")
        let order = Mutex<[Int]>([])
        hold(spawner, with: 0..<2, at: gate, refused)
        spawner.performWhenIdle {
            order.withLock { $0.append(100) }
            isDone.raise()
        }
        for slot in 2..<12 as Range<UInt32> {
            spawner.spawn(
                self.order(slot) { () throws(SpawnFailure) in
                    order.withLock { $0.append(Int(slot)) }
                    throw refused
                })
        }
        for _ in 0..<2 { gate.raise() }
        isDone.wait()
        // The other thread may still be at the last one.
        #expect(order.withLock { $0.firstIndex(of: 100) ?? 0 } >= 9)
        hold(spawner, with: 12..<14, at: gate, refused)
        spawner.performWhenIdle { Issue.record("it is done, though all ends") }
        spawner.end()
        for _ in 0..<2 { gate.raise() }
        spawner.finish()
        #expect(order.withLock { $0.sorted() } == Array(2..<12) + [100])
    }

    @Test func `who reads the answers is not rung for while other spawns wait for a thread`() throws {
        let directory = TemporaryDirectory()
        let (gate, isAnswered, isRung) = (Semaphore(), Semaphore(), Semaphore())
        let answers = Mutex(0)
        let answersWhenRung = Mutex<[Int]>([])
        let spawner = Spawner(
            records: try SpawnRecords(directory: directory.path), descriptorLimit: 0,
            answer: { _ in
                answers.withLock { $0 += 1 }
                isAnswered.raise()
            },
            ring: {
                answersWhenRung.withLock { $0.append(answers.withLock { $0 }) }
                isRung.raise()
            })
        try spawner.start()
        let refused = SpawnFailure(step: .log, message: "this is a test")
        hold(spawner, with: 0..<2, at: gate, refused)
        let begun = Semaphore()
        for slot in 2..<4 as Range<UInt32> {
            spawner.spawn(
                order(slot) { () throws(SpawnFailure) in
                    begun.raise()
                    gate.wait()
                    throw refused
                })
        }
        #expect(spawner.hasWaiting)
        gate.raise()
        isAnswered.wait()
        begun.wait()
        // One waits still, so nobody was rung for; once it is begun, each is.
        #expect(spawner.hasWaiting)
        #expect(answersWhenRung.withLock(\.self).isEmpty)
        gate.raise()
        begun.wait()
        #expect(!spawner.hasWaiting)
        for _ in 0..<2 { gate.raise() }
        for _ in 0..<2 { isRung.wait() }
        spawner.finish()
        #expect(answersWhenRung.withLock { $0.last } == 4)
    }

    @Test func `who waits for a thread while dead mounts hold them all is given up too, and never started`() throws {
        let directory = TemporaryDirectory()
        let (gate, answered) = (Semaphore(), Semaphore())
        let spawner = Spawner(
            records: try SpawnRecords(directory: directory.path), descriptorLimit: 0, mostThreads: 2
        ) { outcome in
            #expect(outcome.pid == 0 && outcome.failure != nil)
            answered.raise()
        }
        try spawner.start()
        let hung = SpawnFailure(step: .log, message: "it hung")
        hold(spawner, with: 0..<2, at: gate, hung)
        spawner.spawn(
            order(2) { () throws(SpawnFailure) in
                Issue.record("it is started, though nobody waits for it")
                throw hung
            })
        let first = spawner.look(for: .zero, givesUpAfter: 2)
        #expect(first.held == 2 && first.givenUp.isEmpty && first.unstarted.isEmpty)
        spawner.relieve(held: first.held)
        let second = spawner.look(for: .zero, givesUpAfter: 2)
        #expect(Set(second.givenUp.map(\.slot)) == [0, 1])
        // Since the first look nobody came to anything.
        #expect(second.unstarted.isEmpty)
        #expect(spawner.look(for: .zero, givesUpAfter: 2).unstarted.map(\.slot) == [2])
        for _ in 0..<2 { gate.raise() }
        for _ in 0..<3 { answered.wait() }
        spawner.finish()
    }
}
