import CProcess
import Glibc
import SidecarModel
import Supervision
import Testing

/// A start that fails says at which step, and leaves neither process nor record. Without a keeper, in this process.
@Suite(.serialized) struct SpawnFailureTests {
    @Test func `a program that is not in PATH`() throws {
        let failure = try SpawnBench().failure(["no-such-program"])
        #expect(failure.step == .execute)
        #expect(failure.errno == ENOENT)
        #expect(
            failure.message
                == "cannot execute 'no-such-program': not found in PATH (relative:/usr/bin:/bin)")
    }

    @Test func `a path that is not there, and one that may not be executed`() throws {
        let bench = try SpawnBench()
        bench.write("file", "", mode: 0o644)
        #expect(try bench.failure(["./nothing"]).message == "cannot execute './nothing': no such file or directory")
        let failure = try bench.failure(["./file"])
        #expect(failure.step == .execute)
        #expect(failure.message == "cannot execute './file': permission denied")
        #expect(try bench.failure(["/usr"]).message == "cannot execute '/usr': is a directory")
    }

    @Test func `a directory that is not there`() throws {
        let failure = try SpawnBench().failure(["sleep", "1"], in: "/no/such/place")
        #expect(failure.step == .directory)
        #expect(failure.message == "cannot change directory to /no/such/place: no such file or directory")
    }

    @Test func `a script whose interpreter is not there, and a file that is no program`() throws {
        let bench = try SpawnBench()
        bench.write("script", "#!/no/such/interpreter\n", mode: 0o755)
        bench.write("plain", "plain text\n", mode: 0o755)
        #expect(
            try bench.failure(["./script"]).message
                == "cannot execute './script': the interpreter it names is not there")
        #expect(
            try bench.failure(["./plain"]).message
                == "cannot execute './plain': neither a program nor a script with a #! line")
        #expect(try bench.failure([]).message == "cannot execute: the command is empty")
    }

    @Test func `what preparing refuses is the failure`() throws {
        let refusal = SpawnFailure(step: .log, message: "cannot open the FIFO", errno: ENOSPC)
        let answer = try SpawnBench().spawn(["sleep", "1"]) { request in
            request.prepare = { () throws(SpawnFailure) -> StandardDescriptors in throw refusal }
        }
        #expect(answer == .failure(refusal))
    }

    @Test func `a child gets its input, its directory, its environment, and nothing else of ours`() throws {
        let bench = try SpawnBench()
        var ends: [Int32] = [-1, -1]
        #expect(loop_pipe(&ends) == 0)
        let output = Channel(descriptor: ends[0])
        let script = "cat; pwd; echo $A; ls /proc/self/fd | wc -l; ulimit -n; grep Sig[BI] /proc/self/status | cut -f2"
        bench.host.onExit = { id, status in
            #expect(status == .code(0))
            bench.host.clear(id, nil)
        }
        bench.host.onEmpty = { id in
            bench.host.release(id)
            bench.loop.stop()
        }
        defer {
            bench.host.onExit = { _, _ in }
            bench.host.onEmpty = { _ in }
        }
        let limit = Result {
            try bench.spawn(["sh", "-c", script]) { request in
                request.environment.append("A=b c")
                request.standardInput = Array("hello\n".utf8)
                request.descriptors.output = ends[1]
            }
        }
        _ = try limit.get()
        close(ends[1])
        try bench.loop.run()
        #expect(try output.line() == "hello")
        #expect(try output.line() == bench.directory)
        #expect(try output.line() == "b c")
        // Three, and the one `ls` reads the directory by.
        #expect(try output.line() == "4")
        _ = try output.line()
        let (blocked, ignored) = (try output.line(), try output.line())
        #expect(blocked == "0000000000000000")
        #expect(ignored == "0000000000000000")
    }
}
