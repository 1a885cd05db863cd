import CProcess
import Glibc
import SidecarModel
import Supervision
import Testing

/// A host of our own, with a directory.
final class SpawnBench {
    let loop: EventLoop
    let host: ProcessHost
    let directory: String

    init() throws {
        directory = try SupervisedProject.makeDirectory()
        loop = try EventLoop()
        host = try ProcessHost(loop: loop, stateDirectory: directory, descriptors: nil, containment: .session)
    }

    deinit {
        for name in ["spawns", "file", "script", "plain"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }

    func write(_ name: String, _ text: String, mode: mode_t) {
        let descriptor = open("\(directory)/\(name)", O_WRONLY | O_CREAT | O_CLOEXEC, mode)
        let bytes = Array(text.utf8)
        _ = Glibc.write(descriptor, bytes, bytes.count)
        close(descriptor)
    }

    func spawn(
        _ arguments: [String], in directory: String? = nil, change: (inout ProcessRequest) -> Void = { _ in }
    )
        throws -> Result<SpawnedProcess, SpawnFailure>
    {
        var request = ProcessRequest(
            name: "a", kind: .sidecar, incarnation: 1, arguments: arguments,
            environment: ["PATH=relative:/usr/bin:/bin"], workingDirectory: directory ?? self.directory)
        change(&request)
        var answer: Result<SpawnedProcess, SpawnFailure>?
        host.spawn(request) {
            answer = $0
            self.loop.stop()
        }
        try loop.run()
        return try #require(answer)
    }

    func failure(_ arguments: [String], in directory: String? = nil) throws -> SpawnFailure {
        guard case .failure(let failure) = try spawn(arguments, in: directory) else {
            throw Channel.Silence()
        }
        return failure
    }
}

extension SpawnBench {
    /// Runs a script to its end and answers what it printed, line by line.
    func output(of script: String, change: (inout ProcessRequest) -> Void = { _ in }) throws -> [String] {
        var ends: [Int32] = [-1, -1]
        try #require(loop_pipe(&ends) == 0)
        let output = Channel(descriptor: ends[0])
        host.onExit = { [host] id, _ in host.clear(id, nil) }
        var isOver = false
        host.onEmpty = { [host, loop] id in
            host.release(id)
            isOver = true
            loop.stop()
        }
        defer {
            host.onExit = { _, _ in }
            host.onEmpty = { _ in }
        }
        let started = try spawn(["sh", "-c", script + "; echo the end"]) { request in
            request.descriptors.output = ends[1]
            request.descriptors.error = ends[1]
            change(&request)
        }
        close(ends[1])
        _ = try started.get()
        while !isOver { try loop.run() }
        var lines: [String] = []
        while lines.last != "the end" { lines.append(try output.line()) }
        return lines.dropLast()
    }
}
