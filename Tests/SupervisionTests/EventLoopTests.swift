import CProcess
import Glibc
import SidecarModel
@testable import Supervision
import Testing

struct EventLoopTests {
    @Test func `a descriptor's handler runs when there is something to read`() throws {
        let loop = try EventLoop()
        var ends: [Int32] = [0, 0]
        #expect(loop_pipe(&ends) == 0)
        defer { ends.forEach { close($0) } }
        var seen: [EventLoop.Readiness] = []
        let watch = try loop.watch(ends[0], .read) { readiness in
            seen.append(readiness)
            loop.stop()
        }
        #expect(write(ends[1], "x", 1) == 1)
        try loop.run()
        #expect(seen == [.readable])
        loop.unwatch(watch)
    }

    @Test func `an event found before its watch was taken away is not delivered`() throws {
        let loop = try EventLoop()
        var first: [Int32] = [0, 0]
        var second: [Int32] = [0, 0]
        #expect(loop_pipe(&first) == 0)
        #expect(loop_pipe(&second) == 0)
        defer { (first + second).forEach { close($0) } }
        var delivered = 0
        var watches: [EventLoop.WatchID] = []
        for fd in [first[0], second[0]] {
            watches.append(
                try loop.watch(fd, .read) { _ in
                    delivered += 1
                    watches.forEach(loop.unwatch)
                    loop.stop()
                })
        }
        #expect(write(first[1], "x", 1) == 1)
        #expect(write(second[1], "x", 1) == 1)
        try loop.run()
        #expect(delivered == 1)
    }

    @Test func `deadlines fire in their order, and a cancelled one does not`() throws {
        let loop = try EventLoop()
        var fired: [String] = []
        let start = loop.now
        _ = loop.schedule(at: start + .milliseconds(3)) {
            fired.append("third")
            loop.stop()
        }
        let never = loop.schedule(at: start + .milliseconds(2)) { fired.append("never") }
        _ = loop.schedule(at: start + .milliseconds(1)) {
            fired.append("first")
            loop.cancel(never)
        }
        _ = loop.schedule(at: Instant(nanoseconds: -5)) { fired.append("past") }
        try loop.run()
        #expect(fired == ["past", "first", "third"])
        #expect(loop.now >= start + .milliseconds(3))
    }

    @Test func `what a deadline schedules for now waits for the next turn`() throws {
        let loop = try EventLoop()
        var log: [String] = []
        loop.onTurnEnd { log.append("end") }
        _ = loop.schedule(at: loop.now) {
            log.append("first")
            _ = loop.schedule(at: loop.now) {
                log.append("second")
                loop.stop()
            }
        }
        try loop.run()
        #expect(log == ["end", "first", "end", "second", "end"])
    }

    @Test func `what is to be done soon is done without waiting, after its caller, and what it adds in the next turn`()
        throws
    {
        let loop = try EventLoop()
        var log: [String] = []
        loop.onTurnEnd { log.append("end") }
        loop.soon {
            loop.soon {
                log.append("second")
                loop.stop()
            }
            log.append("first")
        }
        log.append("caller")
        try loop.run()
        #expect(log == ["caller", "end", "first", "end", "second", "end"])
    }

    @Test func `posts of other threads arrive in order, on the loop's thread`() throws {
        let loop = try EventLoop()
        var numbers: [Int] = []
        let mailbox = loop.mailbox(of: Int.self) { number in
            numbers.append(number)
            if number == 999 { loop.stop() }
        }
        let thread = TestThread { for number in 0..<1000 { mailbox.send(number) } }
        try loop.run()
        thread.join()
        #expect(numbers == Array(0..<1000))
    }

    @Test func `what is sent without ringing wakes nobody, and is taken in its place once somebody rings`() throws {
        let loop = try EventLoop()
        var numbers: [Int] = []
        let (mailbox, other) = (loop.mailbox(of: Int.self) { numbers.append($0) }, loop.mailbox(of: Int.self) { _ in })
        func isRung() -> Bool {
            var bell = pollfd(fd: loop.poster.bell, events: Int16(POLLIN), revents: 0)
            return poll(&bell, 1, 0) == 1
        }
        mailbox.ring()
        mailbox.send(1, rings: false)
        #expect(!isRung())
        mailbox.send(2)
        #expect(isRung())
        try loop.turn()
        #expect(numbers == [1, 2] && !isRung())
        mailbox.send(3, rings: false)
        other.send(0)
        try loop.turn()
        #expect(numbers == [1, 2, 3] && !isRung())
        mailbox.send(4, rings: false)
        mailbox.ring()
        try loop.turn()
        #expect(numbers == [1, 2, 3, 4])
    }

    @Test(.timeLimit(.minutes(1))) func `who rings is heard, whatever others send without ringing`() throws {
        let loop = try EventLoop()
        let heard = Semaphore()
        let mailbox = loop.mailbox(of: Int.self) { number in
            if number > 0 { heard.raise() }
            if number == 20_000 { loop.stop() }
        }
        let quiet = TestThread { for _ in 0..<20_000 { mailbox.send(0, rings: false) } }
        let ringing = TestThread {
            for number in 1...20_000 {
                mailbox.send(number)
                heard.wait()
            }
        }
        try loop.run()
        quiet.join()
        ringing.join()
    }

    @Test func `many timers cancelled leave the rest in order`() throws {
        let loop = try EventLoop()
        let start = loop.now
        var fired: [Int] = []
        let ids = (0..<1000).map { number in
            loop.schedule(at: start + .microseconds(1000 - number)) { fired.append(number) }
        }
        for number in 0..<1000 where number % 10 != 0 { loop.cancel(ids[number]) }
        _ = loop.schedule(at: start + .milliseconds(2)) { loop.stop() }
        try loop.run()
        #expect(fired == (0..<100).map { 990 - $0 * 10 })
    }
}
