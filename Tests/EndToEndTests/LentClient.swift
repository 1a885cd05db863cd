import ChaosKit
import Glibc
import Testing

/// `orchestrate attach` with an input that the test writes, and that the process is lent.
final class LentClient {
    let program: Program
    let path: String
    private var input: Int32

    init(to name: String, in sandbox: Sandbox) throws {
        path = "\(sandbox.directory)/input.\(name).\(UInt32.random(in: 0 ... .max))"
        mkfifo(path, 0o600)
        // Reading too, so that neither side has to wait for the other to open it.
        let both = open(path, O_RDWR | O_CLOEXEC)
        program = try sandbox.start(
            program: ["sh", "-c", "exec orchestrate attach \(name) < '\(path)'"],
            environment: ["PATH": "\(sandbox.programs):\(Sandbox.path)"])
        input = both
        let (program, path) = (program, path)
        try sandbox.eventually("it has its input") { ProcessTable.file("fd/0", of: program.pid) == path }
        // From now on, to write alone: its end is the input's.
        input = open(path, O_WRONLY | O_CLOEXEC)
        close(both)
    }

    deinit { endInput() }

    func send(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(input, bytes, bytes.count)
    }

    func endInput() {
        if input >= 0 { close(input) }
        input = -1
    }
}
