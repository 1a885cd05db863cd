import Glibc
import SidecarModel
@testable import Supervision
import Testing

/// One log's channel, at whose every look the test decides what has come meanwhile.
struct LogChannelTests {
    private final class Pump: LogPumping {
        let buffers: LogBuffers
        let fifos: LogFifos
        /// Done after each look, in turn.
        var afterLooks: [() -> Void] = []

        init(in directory: String) throws {
            buffers = try LogBuffers()
            fifos = try LogFifos(stateDirectory: directory)
        }

        deinit { fifos.discard() }

        func isInterrupted(_ instance: LogInstance) -> Bool {
            if !afterLooks.isEmpty { afterLooks.removeFirst()() }
            return false
        }

        func report(_ event: LogEvent) {}
    }

    private let db = LogInstance(sidecar: "db", replica: 0)

    /// With a sidecar's end of its one FIFO.
    private func channel(
        of instance: LogInstance, in directory: TemporaryDirectory, _ spec: LogSpec = LogSpec(), by pump: Pump
    ) throws -> (LogChannel, Int32) {
        try Directory.create(directory.path + "/logs")
        let output = try pump.fifos.outputs(of: instance, merged: true)[0]
        let channel = LogChannel(
            instance: instance, directory: directory.path + "/logs", spec: spec, compressor: LogCompressor(),
            fifos: pump.fifos)
        channel.streams = [LogChannel.Stream(output: output, watch: nil, size: Int(pump.fifos.size(of: output)))]
        return (channel, try pump.fifos.openSidecarEnd(output))
    }

    @Test func `what may repeat is said before the file is rotated, after which nobody could tell`() throws {
        let directory = TemporaryDirectory()
        let pump = try Pump(in: directory.path)
        let (before, end) = try channel(of: db, in: directory, by: pump)
        defer { close(end) }
        write("one\ntwo\nthree\n", to: end)
        _ = try before.service(0, limit: 1 << 20, by: pump)
        // As when the one that wrote them was killed before it took them out; and the file is as long as it may be.
        write("two\nthree\n", to: end)
        var spec = LogSpec()
        spec.maxSize = ByteCount(bytes: Int64(before.file.size))
        let (after, other) = try channel(of: db, in: directory, spec, by: pump)
        defer { close(other) }
        try after.takeUp(Incarnation(1), isRunning: true, by: pump)
        #expect(directory.log(of: db).last?.string.contains("the next 2 lines may repeat") == true)
        _ = try after.service(0, limit: 1 << 20, by: pump)
        #expect(directory.log(of: db).map(\.string) == ["two", "three"])
    }

    @Test func `a line is not torn because another one, as long, was unfinished before it`() throws {
        let directory = TemporaryDirectory()
        let pump = try Pump(in: directory.path)
        let (channel, end) = try channel(of: db, in: directory, by: pump)
        defer { close(end) }
        write("abc", to: end)
        // Its writer is seen to go on, and leaves another one unfinished.
        pump.afterLooks = [{ write("d\nxyz", to: end) }]
        _ = try channel.service(0, limit: 1 << 20, by: pump)
        write("!\n", to: end)
        _ = try channel.service(0, limit: 1 << 20, by: pump)
        #expect(directory.log(of: db).map(\.string) == ["abcd", "xyz!"])
    }
}
