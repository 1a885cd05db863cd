import Glibc

/// `orchestrate attach` with an input that the test writes.
package final class Attachment {
    package let program: Program
    private let input: HeldInput

    package var inputPath: String { input.path }

    /// To a sidecar with `stdio: socket`. Returns when it is attached: the sidecar's output is opened last.
    package convenience init(to name: String, in sandbox: Sandbox) throws {
        try self.init(name, sandbox)
        let descriptors = "/proc/\(program.pid)/fd"
        try sandbox.eventually("it is attached") {
            Directory.entries(descriptors).contains {
                ProcessTable.file("fd/\($0)", of: program.pid).hasSuffix(".out")
            }
        }
    }

    /// To one with `stdio: per_client`, whose process is lent the input. Returns when the command has it.
    package convenience init(lentTo name: String, in sandbox: Sandbox) throws {
        try self.init(name, sandbox)
        try sandbox.eventually("it has its input") {
            ProcessTable.file("fd/0", of: program.pid) == inputPath || program.isOver
        }
        input.leaveReading()
    }

    private init(_ name: String, _ sandbox: Sandbox) throws {
        input = HeldInput(in: sandbox)
        program = try sandbox.shell("exec orchestrate attach \(name) <'\(input.path)'")
    }

    package func send(_ line: String) { input.send(line) }

    package func endInput() { input.close() }
}
