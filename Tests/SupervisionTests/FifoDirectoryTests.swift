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
        removeAll(of: bench.directory.path + "/fifo")
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
        let place = realpath(directory.path + "/fifo", nil).map { path in
            defer { free(path) }
            return String(cString: path)
        }
        pump.stop()
        pump.discardFifos()
        #expect(access(try #require(place), F_OK) != 0)
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

    private func removeAll(of link: String) {
        guard let path = realpath(link, nil) else { return }
        defer { free(path) }
        let directory = String(cString: path)
        for name in (try? Directory.names(in: directory)) ?? [] { unlink(directory + "/" + name) }
        rmdir(directory)
    }
}
