import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What becomes of the sidecars when keeper and supervisor, or the guard, are killed.
    @Suite
    struct GuardTests {
        private static let stops = "supervisor: { on_exit: stop }"

        /// A plain one, one that forks twice into a session of its own, and one that is deaf to SIGTERM.
        private static let stubborn = """
              plain: { command: [sleep, "1000"] }
              escaping:
                command: [sh, -c, "(setsid sh -c 'sleep 1001 & sleep 1002' &) ; exec sleep 1003"]
              deaf:
                command: [sh, -c, "trap '' TERM; while :; do sleep 1004; done"]
                stop: { grace: 1s }
            """

        private static let plain = """
              one: { command: [sleep, "1000"] }
              two: { command: [sleep, "1001"], depends_on: [one] }
            """

        /// - Parameter containment: `session` does without cgroups.
        private func bringUp(_ sandbox: Sandbox, expecting count: Int, containment: String = "best") throws {
            let up = try sandbox.start(["up", "-d"], environment: ["ORCHESTRATE_CONTAINMENT": containment]).end()
            try #require(up.status == 0, "\(up.everything)")
            try sandbox.eventually("\(count) run") { sandbox.sidecars().count == count }
        }

        @Test(arguments: ["best", "session"])
        func `with on_exit stop the guard ends all, and who is deaf to that after its own grace`(_ containment: String)
            throws
        {
            for round in 0..<rounds {
                try Sandbox.run { sandbox in
                    try sandbox.declare(Self.stubborn, top: Self.stops)
                    try bringUp(sandbox, expecting: 7, containment: containment)
                    let group = sandbox.controlGroup
                    try sandbox.killSupervision()
                    // Without the declared one its grace would be ten seconds.
                    try sandbox.eventually("all ended, round \(round)", within: 9) { sandbox.processes.isEmpty }
                    if let group { #expect(!File.exists(group), "round \(round)") }
                    #expect(try sandbox.orchestrate("status").status == 5)
                }
            }
        }

        @Test func `a foreground project ends when keeper and supervisor are killed at any instant`() throws {
            var chance = Chance(seed: UInt64(getpid()))
            for round in 0..<rounds {
                try Sandbox.run { sandbox in
                    try sandbox.declare(Self.plain)
                    let client = try sandbox.start("up")
                    try sandbox.eventually("a supervisor runs") { sandbox.supervisor != nil }
                    poll(nil, 0, Int32(chance.next(below: 200)))
                    // Whoever is left starts the other again, and a client that has not handed its manifest over yet
                    // starts both: until there is no client any more.
                    try sandbox.eventually("the client has ended, round \(round)") {
                        for process in [sandbox.keeper, sandbox.supervisor] { process?.kill() }
                        return ProcessTable.process(client.pid) == nil
                    }
                    let ended = try client.end()
                    #expect(ended.status != 0, "round \(round)")
                    try sandbox.eventually("all ended, round \(round)") { sandbox.processes.isEmpty }
                }
            }
        }

        @Test func `dependents leave before what they depend on, without a supervisor too`() throws {
            try Sandbox.run { sandbox in
                let note = "\(sandbox.directory)/order"
                let script = "sleep 1000 & trap 'sleep 0.2; echo $0 >> \(note); kill $!; exit' TERM; echo up; wait"
                try sandbox.declare(
                    """
                      db: { command: [sh, -c, "\(script)", db] }
                      web: { command: [sh, -c, "\(script)", web], depends_on: [db] }
                      front: { command: [sh, -c, "\(script)", front], depends_on: [web] }
                    """, top: Self.stops)
                try sandbox.succeed("up", "-d")
                for name in ["db", "web", "front"] {
                    try sandbox.eventually("\(name) is up") {
                        try sandbox.succeed("logs", name).contains("up")
                    }
                }
                try sandbox.killSupervision()
                try sandbox.eventually("all ended") { sandbox.processes.isEmpty }
                #expect(File.text(note) == "front\nweb\ndb\n")
            }
        }

        @Test func `with on_exit keep there is no guard, and the next command adopts all`() throws {
            for _ in 0..<rounds {
                try Sandbox.run { sandbox in
                    try sandbox.declare(Self.plain)
                    try bringUp(sandbox, expecting: 2)
                    let before = sandbox.sidecars()
                    #expect(sandbox.guardian == nil)
                    try sandbox.killSupervision()
                    #expect(sandbox.sidecars() == before)
                    try sandbox.succeed("up", "-d")
                    #expect(sandbox.sidecars() == before)
                    try sandbox.succeed("down")
                }
            }
        }

        @Test(arguments: ["best", "session"])
        func `when the guard is lost too, the next command ends what is left and starts anew`(
            _ containment: String
        ) throws {
            for round in 0..<rounds {
                try Sandbox.run { sandbox in
                    try sandbox.declare(Self.stubborn, top: Self.stops)
                    try bringUp(sandbox, expecting: 7, containment: containment)
                    let before = sandbox.sidecars()
                    try sandbox.eventually("a guard is there") { sandbox.guardian != nil }
                    try sandbox.killSupervision(withGuard: true)
                    #expect(sandbox.sidecars() == before)
                    if round % 2 == 0 {
                        try sandbox.succeed("up", "-d")
                        try sandbox.eventually("7 others run, round \(round)") {
                            let now = sandbox.sidecars()
                            return now.count == 7 && Set(now).isDisjoint(with: before)
                        }
                    }
                    try sandbox.succeed("down")
                    #expect(sandbox.sidecars().isEmpty)
                }
            }
        }

        @Test func `a killed guard is started again`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.plain, top: Self.stops)
                try bringUp(sandbox, expecting: 2)
                for _ in 0..<min(rounds, 3) {
                    try sandbox.eventually("a guard is there") { sandbox.guardian != nil }
                    let guardian = try #require(sandbox.guardian)
                    guardian.kill()
                    try sandbox.eventually("another one is there") {
                        sandbox.guardian.map { $0 != guardian } ?? false
                    }
                }
                let before = sandbox.sidecars()
                try sandbox.succeed("status")
                #expect(sandbox.sidecars() == before)
                try sandbox.killSupervision()
                try sandbox.eventually("all ended") { sandbox.processes.isEmpty }
            }
        }

        @Test(arguments: ["stop", "keep"])
        func `a lost keeper is replaced, and what happens after that is as before`(_ wish: String) throws {
            for round in 0..<rounds {
                try Sandbox.run { sandbox in
                    try sandbox.declare(Self.plain, top: "supervisor: { on_exit: \(wish) }")
                    try bringUp(sandbox, expecting: 2)
                    let before = sandbox.sidecars()
                    let keeper = try #require(sandbox.keeper)
                    keeper.kill()
                    try sandbox.eventually("another keeper has a supervisor, round \(round)") {
                        sandbox.keeper.map { $0 != keeper } ?? false && sandbox.supervisor != nil
                    }
                    try sandbox.succeed("status")
                    #expect(sandbox.sidecars() == before)

                    let supervisor = try #require(sandbox.supervisor)
                    supervisor.kill()
                    try sandbox.eventually("the new keeper starts another supervisor") {
                        sandbox.supervisor.map { $0 != supervisor } ?? false
                    }
                    try sandbox.succeed("status")
                    #expect(sandbox.sidecars() == before)

                    try sandbox.killSupervision()
                    if wish == "stop" {
                        try sandbox.eventually("the guard ends all") { sandbox.processes.isEmpty }
                    } else {
                        #expect(sandbox.sidecars() == before)
                        try sandbox.succeed("down")
                    }
                }
            }
        }

        @Test func `a sidecar that ends after its keeper was replaced is started again by its policy`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.plain)
                try bringUp(sandbox, expecting: 2)
                let keeper = try #require(sandbox.keeper)
                keeper.kill()
                try sandbox.eventually("another keeper has a supervisor") {
                    sandbox.keeper.map { $0 != keeper } ?? false && sandbox.supervisor != nil
                }
                let one = try #require(sandbox.sidecars("one").first)
                one.kill()
                try sandbox.eventually("it runs again") {
                    sandbox.sidecars("one").count == 1 && sandbox.sidecars("one").first != one
                }
                try sandbox.succeed("down")
            }
        }
    }
}
