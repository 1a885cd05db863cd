import Glibc

/// `orchestrate upgrade` there and back while a sidecar answers 1000 requests a second.
package struct Upgrades: Scenario {
    package let name = "upgrade"
    package let timed = "upgrade"
    package let fullCount = 100
    private static let perStage = 10

    package init() {}

    package func play(on stage: Stage, limit: Int) throws {
        let sandbox = stage.sandbox
        let other = "\(sandbox.directory)/other"
        mkdir(other, 0o755)
        for name in ["orchestrate", "orchestrate-keeper"] {
            try File.copy("\(sandbox.programs)/\(name)", to: "\(other)/\(name)")
        }
        let evidence = stage.evidence
        try sandbox.declare(
            """
              server:
                command: [\(evidence.program), \(evidence.directory), "server.0", "period=1", "port=${ports.echo}", "serve=1"]
                ports: { echo: auto }
                health: { tcp: echo }
                logs: { max_size: 64KiB, max_files: 1000 }
              brief:
                command: [\(evidence.program), \(evidence.directory), "brief.0", "period=5", "end=90", "code=7"]
                restart: { delay: 50ms, jitter: 0, max_attempts: 0 }
            """, top: "supervisor: { on_exit: \(stage.chance.isHeads() ? "keep" : "stop") }")
        try stage.succeed("up", "-d")
        let server = evidence.leaders.first { $0.instance == "server.0" }
        let address = try sandbox.succeed("port", "server", "echo").filter { !$0.isWhitespace }.split(separator: ":")
        let end = "\(sandbox.directory)/end"
        let load = try sandbox.start(program: [evidence.program, "load", String(address.last ?? ""), end, "1000"])
        for round in 0..<min(limit, Self.perStage) {
            stage.pause(below: 300)
            let programs = round % 2 == 0 ? other : sandbox.programs
            let began = ContinuousClock.now
            try stage.succeed("upgrade", "-f", sandbox.manifest, programs: programs)
            stage.tally.times.append((ContinuousClock.now - began) / .milliseconds(1))
            stage.tally.rounds += 1
            if sandbox.supervisor?.file != "\(programs)/orchestrate" { stage.fault("not upgraded to \(programs)") }
            if !(server?.isAlive ?? false) { stage.fault("the server is another one") }
        }
        try File.write("", to: end)
        try count(load.end(), stage)
        try stage.bringDown()
        try stage.prove()
    }

    private func count(_ ended: Program.Ended, _ stage: Stage) {
        let numbers = ended.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard numbers.count == 3 else { return stage.fault("the load said: \(ended.everything)") }
        stage.tally.requests += numbers[0]
        stage.tally.failedRequests += numbers[1]
        stage.note("\(numbers[0]) requests, \(numbers[1]) failed, the longest took \(numbers[2]) µs")
        if numbers[1] > 0 { stage.fault("\(numbers[1]) of \(numbers[0]) requests failed") }
    }
}
