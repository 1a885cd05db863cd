import Glibc
import SidecarModel
import Supervision
import Testing

struct FifoDirectoryTests {
    private let db = LogInstance(sidecar: "db", replica: 0)
    private let web = LogInstance(sidecar: "web", replica: 0)

    @Test func `a directory that is removed under a running project costs no line and no start`() throws {
        let bench = try PumpBench()
        let first = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        Directory.remove(try #require(target(of: bench.directory.path)))
        write("still heard\n", to: first.standardOutput)
        try bench.drain(db)
        first.close()
        let successor = try bench.pump.open(db, incarnation: Incarnation(2), spec: LogSpec())
        write("and after a restart\n", to: successor.standardOutput)
        let other = try bench.pump.open(web, incarnation: Incarnation(1), spec: LogSpec())
        write("one that never had a name\n", to: other.standardOutput)
        try bench.drain(db)
        try bench.drain(web)
        successor.close()
        other.close()
        #expect(
            bench.log(db).map(\.string)
                == ["incarnation 1 started", "still heard", "incarnation 2 started", "and after a restart"])
        #expect(bench.log(web).map(\.string) == ["incarnation 1 started", "one that never had a name"])
    }

    @Test func `when all is over neither FIFO nor directory is left`() throws {
        let directory = TemporaryDirectory()
        let pump = try LogPump(stateDirectory: directory.path) { _ in }
        try pump.open(db, incarnation: Incarnation(1), spec: LogSpec()).close()
        let place = try #require(target(of: directory.path))
        pump.stop()
        pump.discardFifos()
        #expect(access(place, F_OK) != 0)
        #expect(access(directory.path + "/fifo", F_OK) != 0)
    }

    @Test func `a link that leads to what somebody else may enter is not followed`() throws {
        let directory = TemporaryDirectory()
        let open = directory.path + "/open"
        mkdir(open, 0o700)
        chmod(open, 0o777)
        symlink(open, directory.path + "/fifo")
        let pump = try LogPump(stateDirectory: directory.path) { _ in }
        try pump.open(db, incarnation: Incarnation(1), spec: LogSpec()).close()
        #expect(try Directory.names(in: open) == [])
        pump.stop()
        pump.discardFifos()
    }

    @Test func `a project whose state is deleted under it takes its FIFOs with it`() throws {
        let directory = TemporaryDirectory()
        let pump = try LogPump(stateDirectory: directory.path) { _ in }
        try pump.open(db, incarnation: Incarnation(1), spec: LogSpec()).close()
        let place = try #require(target(of: directory.path))
        unlink(directory.path + "/fifo")
        pump.stop()
        pump.discardFifos()
        #expect(access(place, F_OK) != 0)
    }

    @Test func `what a lost project left goes when another one begins, once nobody has it open`() throws {
        let directory = TemporaryDirectory()
        let (place, held) = try leaveFifos(of: directory.path + "/lost")
        rename(directory.path + "/lost", directory.path + "/gone")
        #expect(!FifoLeftovers.find().contains(place))
        close(held)
        // Other tests begin projects too.
        #expect(FifoLeftovers.find().contains(place) || access(place, F_OK) != 0)
        let other = directory.path + "/other"
        mkdir(other, 0o700)
        let pump = try LogPump(stateDirectory: other) { _ in }
        #expect(access(place, F_OK) != 0)
        #expect(!FifoLeftovers.find().contains(try #require(target(of: other))))
        pump.stop()
        pump.discardFifos()
    }

    /// Of a supervisor that was killed, and a sidecar that writes on.
    private func leaveFifos(of state: String) throws -> (place: String, held: Int32) {
        mkdir(state, 0o700)
        let pump = try LogPump(stateDirectory: state) { _ in }
        try pump.open(db, incarnation: Incarnation(1), spec: LogSpec()).close()
        let place = try #require(target(of: state))
        let output = try #require(try Directory.names(in: place).first { $0.hasSuffix(".out") })
        let held = open("\(place)/\(output)", O_RDWR | O_CLOEXEC)
        pump.stop()
        return (place, held)
    }

    private func target(of state: String) -> String? {
        realpath(state + "/fifo", nil).map { path in
            defer { free(path) }
            return String(cString: path)
        }
    }
}
