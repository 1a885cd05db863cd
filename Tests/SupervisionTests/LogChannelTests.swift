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

    @Test func `a line is not torn because another one, as long, was unfinished before it`() throws {
        let directory = TemporaryDirectory()
        try Directory.create(directory.path + "/logs")
        let pump = try Pump(in: directory.path)
        let db = LogInstance(sidecar: "db", replica: 0)
        let outputs = try pump.fifos.outputs(of: db, merged: true)
        let end = try pump.fifos.openSidecarEnd(outputs[0])
        defer { close(end) }
        let channel = LogChannel(
            instance: db, directory: directory.path + "/logs", spec: LogSpec(), compressor: LogCompressor())
        channel.streams = [
            LogChannel.Stream(output: outputs[0], watch: nil, size: Int(pump.fifos.size(of: outputs[0])))
        ]
        write("abc", to: end)
        // Its writer is seen to go on, and leaves another one unfinished.
        pump.afterLooks = [{ write("d\nxyz", to: end) }]
        _ = try channel.service(0, limit: 1 << 20, by: pump)
        write("!\n", to: end)
        _ = try channel.service(0, limit: 1 << 20, by: pump)
        #expect(directory.log(of: db).map(\.string) == ["abcd", "xyz!"])
    }
}
