import Glibc
import SidecarModel
import Supervision
import Synchronization
import Testing

struct LogOrderTests {
    private let db = LogInstance(sidecar: "db", replica: 0)
    private let other = LogInstance(sidecar: "other", replica: 0)

    /// Opened once by one thread for another.
    private final class Gate: Sendable {
        private let reading: Int32
        private let writing: Int32

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            reading = ends[0]
            writing = ends[1]
        }

        deinit {
            close(reading)
            close(writing)
        }

        func post() { write("x", to: writing) }

        func wait() {
            var byte: UInt8 = 0
            while read(reading, &byte, 1) < 0, errno == EINTR {}
        }
    }

    /// A pump that stands still within its first answer until it is let go.
    private final class LatePump {
        private static let first: UInt64 = 1
        private static let last: UInt64 = 2
        let directory = TemporaryDirectory()
        let pump: LogPump
        private let standing: Gate
        private let goingOn: Gate
        private let done: Gate
        private let found: Box

        private final class Box: Sendable { let tokens = Mutex<[UInt64]>([]) }

        var matched: [UInt64] { found.tokens.withLock { $0 } }

        init() throws {
            let standing = try Gate()
            let goingOn = try Gate()
            let done = try Gate()
            let found = Box()
            self.standing = standing
            self.goingOn = goingOn
            self.done = done
            self.found = found
            pump = try LogPump(stateDirectory: directory.path) { event in
                switch event {
                case .drained(LatePump.first):
                    standing.post()
                    goingOn.wait()
                case .drained: done.post()
                case .matched(let token): found.tokens.withLock { $0.append(token) }
                case .held, .refused, .accepted, .dropped, .repeated, .failed: break
                }
            }
        }

        deinit {
            pump.stop()
            pump.discardFifos()
        }

        /// What the body sends comes to the pump when it is over.
        func late(_ other: LogInstance, _ body: () throws -> Void) rethrows {
            pump.drain(other, token: Self.first)
            standing.wait()
            try body()
            goingOn.post()
        }

        func lines(of instance: LogInstance) -> [String] {
            pump.drain(instance, token: Self.last)
            done.wait()
            return directory.log(of: instance).map(\.string)
        }
    }

    @Test func `what the next life writes comes after its start, and is looked at, however late the pump is`() throws {
        let late = try LatePump()
        let ready = LogPattern(token: 7, expression: try RegularExpression("^ready$"), stream: .stdout)
        let first = try late.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        try late.late(other) {
            late.pump.note(db, "exit 1")
            first.close()
            let second = try late.pump.open(db, incarnation: Incarnation(2), spec: LogSpec(), patterns: [ready])
            write("ready\n", to: second.standardOutput)
            second.close()
        }
        #expect(late.lines(of: db) == ["incarnation 1 started", "exit 1", "incarnation 2 started", "ready"])
        #expect(late.matched == [7])
    }

    @Test func `one that is adopted and started again at once keeps its lives apart`() throws {
        let late = try LatePump()
        try late.late(other) {
            _ = try late.pump.adopt(db, incarnation: Incarnation(1), spec: LogSpec())
            let second = try late.pump.open(db, incarnation: Incarnation(2), spec: LogSpec())
            write("fresh\n", to: second.standardOutput)
            second.close()
        }
        #expect(late.lines(of: db) == ["incarnation 1 started", "incarnation 2 started", "fresh"])
    }
}
