import Supervision
import Testing

struct WorkQueueTests {
    private final class Work {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    @Test func `what is put in first comes out first`() {
        var queue = WorkQueue<Int>()
        var taken: [Int] = []
        for number in 0..<100 {
            queue.append(2 * number)
            queue.append(2 * number + 1)
            if let next = queue.take() { taken.append(next) }
        }
        while let next = queue.take() { taken.append(next) }
        #expect(taken == Array(0..<200))
        #expect(queue.take() == nil)
    }

    @Test func `a queue that never runs empty keeps nothing of what was taken`() {
        var queue = WorkQueue<Work>()
        queue.append(Work(0))
        for number in 1...1000 {
            queue.append(Work(number))
            weak let taken = queue.take()
            #expect(taken == nil)
        }
        #expect(queue.take()?.number == 1000)
    }
}
