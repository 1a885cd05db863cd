import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Clients with a process of their own, while what supervises them is killed.
    @Suite
    struct PerClientSurvivalTests {
        @Test func `the exit code is the process's, also while the supervisor is dead`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  ender: { shell: 'echo up; read code; exit \"$code\"', stdio: per_client }")
                try sandbox.succeed("up", "-d")
                let first = try Attachment(lentTo: "ender", in: sandbox)
                first.send("7")
                #expect(try first.program.end().status == 7)
                let second = try Attachment(lentTo: "ender", in: sandbox)
                try second.program.prints("up")
                let supervisor = try #require(sandbox.supervisor)
                supervisor.kill()
                second.send("9")
                #expect(try second.program.end().status == 9)
                try sandbox.succeed("down")
            }
        }

        @Test(.enabled(if: EndToEnd.kernelKeepsExits, "needs Linux 6.15, which tells how others' children ended"))
        func `the exit code is the process's, also when its keeper is lost`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  ender: { shell: 'echo up; read code; exit \"$code\"', stdio: per_client }")
                try sandbox.succeed("up", "-d")
                for isAtOnce in [true, false] {
                    let client = try Attachment(lentTo: "ender", in: sandbox)
                    try client.program.prints("up")
                    let keeper = try #require(sandbox.keeper)
                    keeper.kill()
                    if !isAtOnce {
                        try sandbox.eventually("there is another one, and a supervisor") {
                            sandbox.keeper.map { $0 != keeper } ?? false && sandbox.supervisor != nil
                        }
                    }
                    client.send("9")
                    let ended = try client.program.end()
                    #expect(ended.status == 9, "\(ended.everything)")
                }
                try sandbox.succeed("down")
            }
        }

        @Test func `conversations outlive supervisors, and their ends are noticed`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.echo)
                try sandbox.succeed("up", "-d")
                let path = try sandbox.socket(of: "echo")
                let attached = try Attachment(lentTo: "echo", in: sandbox)
                let connected = try StreamClient(path)
                for round in 1...3 {
                    attached.send("a\(round)")
                    connected.send("c\(round)")
                    try attached.program.prints("a\(round)\n")
                    try connected.receives("c\(round)\n")
                    let supervisor = try #require(sandbox.supervisor)
                    supervisor.kill()
                    // Nobody supervises now. Who comes waits until somebody does.
                    let late = try StreamClient(path)
                    late.send("late")
                    attached.send("b\(round)")
                    try attached.program.prints("b\(round)\n")
                    try late.receives("late")
                    let other = try #require(sandbox.supervisor)
                    #expect(other != supervisor)
                    late.hangUp()
                    try sandbox.eventually("the late one is gone") { sandbox.sidecars("echo").count == 2 }
                }
                let status = try sandbox.succeed("status")
                #expect(status.contains("echo: 2 clients: pid "))
                #expect(status.contains("pid \(attached.program.pid) by "))
                connected.hangUp()
                try sandbox.eventually("its process is gone") { sandbox.sidecars("echo").count == 1 }
                attached.program.signal(SIGKILL)
                try sandbox.eventually("this one too") { sandbox.sidecars("echo").isEmpty }
                attached.endInput()
                _ = try attached.program.end()
                try sandbox.succeed("down")
            }
        }

        @Test func `an upgrade of both programs is not noticed by who talks`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.echo)
                try sandbox.succeed("up", "-d")
                let client = try StreamClient(sandbox.socket(of: "echo"))
                let attached = try Attachment(lentTo: "echo", in: sandbox)
                try client.receives("for you")
                try attached.program.prints("for you")
                let before = sandbox.sidecars("echo")
                for round in 1...2 {
                    let supervisor = try #require(sandbox.supervisor)
                    try sandbox.succeed("upgrade")
                    #expect(sandbox.supervisor != supervisor)
                    client.send("c\(round)")
                    attached.send("a\(round)")
                    try client.receives("c\(round)")
                    try attached.program.prints("a\(round)")
                }
                #expect(sandbox.sidecars("echo") == before)
                client.hangUp()
                try sandbox.eventually("its process is gone") { sandbox.sidecars("echo").count == 1 }
                try sandbox.succeed("stop", "echo")
                #expect(try attached.program.end().status == 128 + SIGTERM)
                try sandbox.succeed("down")
            }
        }

        @Test func `a lost keeper breaks no conversation, and its end is still noticed`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.echo + PerClientSidecars.deaf)
                try sandbox.succeed("up", "-d")
                let client = try StreamClient(sandbox.socket(of: "echo"))
                let deaf = try Attachment(lentTo: "deaf", in: sandbox)
                try client.receives("for you")
                try deaf.program.prints("ready")
                let keeper = try #require(sandbox.keeper)
                keeper.kill()
                try sandbox.eventually("there is another one, and a supervisor") {
                    sandbox.keeper.map { $0 != keeper } ?? false && sandbox.supervisor != nil
                }
                client.send("there?")
                try client.receives("there?")
                let next = try StreamClient(sandbox.socket(of: "echo"))
                try next.receives("for you")
                deaf.program.signal(SIGKILL)
                try sandbox.eventually("nothing of it is left") { sandbox.sidecars("deaf").isEmpty }
                client.hangUp()
                next.hangUp()
                try sandbox.eventually("nothing is left") { sandbox.sidecars().isEmpty }
                deaf.endInput()
                _ = try deaf.program.end()
                try sandbox.succeed("down")
            }
        }

        @Test func `with keeper and supervisor lost, the next command ends who can't be watched any more`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.echo + "  web: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                let client = try StreamClient(sandbox.socket(of: "echo"))
                try client.receives("for you")
                let web = sandbox.sidecars("web")
                try sandbox.killSupervision()
                client.send("alone")
                try client.receives("alone")
                try sandbox.succeed("up", "-d")
                #expect(client.ends())
                #expect(sandbox.sidecars("web") == web)
                let next = try StreamClient(sandbox.socket(of: "echo"))
                try next.receives("for you")
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `the guard ends clients' processes too`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.deaf, top: "supervisor: { on_exit: stop }")
                try sandbox.succeed("up", "-d")
                let client = try StreamClient(sandbox.socket(of: "deaf"))
                try client.receives("ready")
                try sandbox.killSupervision()
                try sandbox.eventually("all ended") { sandbox.processes.isEmpty }
            }
        }

        @Test func `a supervisor that is killed in the handshake is asked again by who attaches`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.echo + "  shared: { command: [cat], stdio: socket }")
                try sandbox.succeed("up", "-d")
                var chance = Chance(seed: UInt64(getpid()))
                for round in 1...3 {
                    let supervisor = try #require(sandbox.supervisor)
                    let clients = try ["echo", "shared"].map { name in
                        let input = HeldInput(in: sandbox)
                        input.send("round \(round)")
                        return (input, try sandbox.shell("exec orchestrate attach \(name) <'\(input.path)'"))
                    }
                    sandbox.killSupervisor(afterMilliseconds: chance.next(below: 40))
                    for (input, program) in clients {
                        try program.prints("round \(round)\n")
                        input.close()
                        let ended = try program.end()
                        #expect(ended.status == 0, "\(ended.everything)")
                        #expect(ended.output.hasSuffix("round \(round)\n"), "\(ended.everything)")
                    }
                    try sandbox.eventually("a supervisor is back") {
                        sandbox.supervisor.map { $0 != supervisor } ?? false
                    }
                }
                try sandbox.eventually("nobody is left") { sandbox.sidecars("echo").isEmpty }
                try sandbox.succeed("down")
            }
        }
    }
}
