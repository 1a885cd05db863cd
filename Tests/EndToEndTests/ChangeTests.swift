import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What a changed manifest, or a command for one instance, does to those it does not name.
    struct ChangeTests {
        private static let base = 20_000 + Int(getpid()) % 8000

        /// Declares it, brings it up, and answers what that printed.
        private func up(_ sidecars: String, in sandbox: Sandbox) throws -> String {
            try sandbox.declare(sidecars)
            return try sandbox.succeed("up", "-d", within: 20)
        }

        private func port(_ name: String, in sandbox: Sandbox) throws -> Int? {
            Int(try sandbox.succeed("port", name).filter(\.isNumber))
        }

        @Test func `a range goes round the numbers that others have for themselves`() throws {
            try Sandbox.run { sandbox in
                let base = Self.base
                _ = try up(
                    """
                      pair: { command: [sleep, "1000"], ports: { b: \(base)-\(base + 1), a: \(base) } }
                      late: { command: [sleep, "1000"], ports: { c: \(base + 2) } }
                      wide: { command: [sleep, "1000"], ports: { d: \(base + 2)-\(base + 3) } }
                    """, in: sandbox)
                let environment = try sandbox.succeed("env", "pair")
                #expect(environment.contains("A_PORT=\(base)\n"), "\(environment)")
                #expect(environment.contains("B_PORT=\(base + 1)\n"), "\(environment)")
                #expect(try port("late", in: sandbox) == base + 2)
                #expect(try port("wide", in: sandbox) == base + 3)
                try sandbox.succeed("down")
            }
        }

        @Test func `a number can go to another port, another sidecar and another address of the project`() throws {
            try Sandbox.run { sandbox in
                let base = Self.base + 10
                let sleep = #"command: [sleep, "1000"]"#
                _ = try up("  one: { \(sleep), ports: { a: \(base) } }", in: sandbox)
                _ = try up("  one: { \(sleep), ports: { b: \(base) } }", in: sandbox)
                #expect(try port("one", in: sandbox) == base)
                _ = try up(
                    """
                      one: { \(sleep) }
                      two: { \(sleep), ports: { a: \(base) } }
                    """, in: sandbox)
                #expect(try port("two", in: sandbox) == base)
                _ = try up(
                    """
                      one: { \(sleep), ports: { a: { port: \(base), bind: 127.0.0.2 } } }
                      two: { \(sleep), ports: { a: \(base), six: { port: \(base), bind: "::1" } } }
                    """, in: sandbox)
                #expect(try port("one", in: sandbox) == base)
                try sandbox.succeed("down")
            }
        }

        @Test func `a range that others may not have any more is kept as long as it runs, also by the next supervisor`()
            throws
        {
            try Sandbox.run { sandbox in
                let base = Self.base + 30
                let wide = "  wide: { command: [sleep, \"1000\"], ports: { http: \(base)-\(base + 5) } }"
                _ = try up(wide, in: sandbox)
                let before = sandbox.sidecars("wide")
                try sandbox.declare(wide + "\n  fixed: { command: [sleep, \"1000\"], ports: { http: \(base) } }")
                try sandbox.succeed("up", "-d", "--no-wait")
                sandbox.killSupervisor(afterMilliseconds: 0)
                #expect(try port("wide", in: sandbox) == base)
                #expect(sandbox.sidecars("wide") == before)
                try sandbox.succeed("restart", "wide", within: 20)
                #expect(try port("wide", in: sandbox) == base + 1)
                try sandbox.succeed("start", "fixed", within: 20)
                #expect(try port("fixed", in: sandbox) == base)
                try sandbox.succeed("down")
            }
        }

        @Test func `what one that waits has reserved is free for whoever is to have it now`() throws {
            try Sandbox.run { sandbox in
                let base = Self.base + 40
                func sidecars(_ web: String, _ rest: String) -> String {
                    """
                      slow: { command: [sleep, "1000"], health: { file: here } }
                      \(web): { command: [sleep, "1000"], ports: { h: \(rest) }, depends_on: [slow], restart: never }
                    """
                }
                try sandbox.declare(sidecars("web", "\(base)-\(base + 9)"))
                try sandbox.succeed("up", "-d", "--no-wait")
                try sandbox.declare(sidecars("site", "\(base)"))
                try sandbox.succeed("up", "-d", "--no-wait")
                try File.write("", to: "\(sandbox.directory)/here")
                try sandbox.succeed("restart", "slow", "--no-wait")
                try File.write("", to: "\(sandbox.directory)/here")
                try sandbox.eventually("site runs") { sandbox.sidecars("site").count == 1 }
                #expect(try port("site", in: sandbox) == base)
                try sandbox.succeed("down")
            }
        }

        @Test func `who holds the address of another gets the new one when that is declared anew`() throws {
            try Sandbox.run { sandbox in
                let base = Self.base + 20
                func sidecars(_ port: Int, replicas: Int = 1) -> String {
                    """
                      db: { command: [sleep, "1000"], ports: { sql: \(port) } }
                      api: { command: [sleep, "1000"], ports: { h: \(base + 2)-\(base + 9) }, replicas: \(replicas) }
                      web: { command: [sleep, "${sidecars.db.ports.sql}"], depends_on: [db] }
                      gate:
                        shell: "exec sleep 1000 # ${sidecars.api.addresses.h}"
                        depends_on: [api]
                      other: { command: [sleep, "1000"], depends_on: [db, api] }
                    """
                }
                _ = try up(sidecars(base), in: sandbox)
                let (other, gate) = (sandbox.sidecars("other"), sandbox.sidecars("gate"))
                _ = try up(sidecars(base + 1), in: sandbox)
                #expect(sandbox.sidecars("web").map(\.arguments) == [["sleep", "\(base + 1)"]])
                #expect(sandbox.sidecars("gate") == gate)
                let web = sandbox.sidecars("web")
                _ = try up(sidecars(base + 1, replicas: 2), in: sandbox)
                #expect(sandbox.sidecars("gate") != gate)
                #expect(sandbox.sidecars("web") == web)
                #expect(sandbox.sidecars("other") == other)
                try sandbox.succeed("down")
            }
        }

        @Test func `who refers to a port that moved gets it with the up that mends what failed meanwhile`() throws {
            try Sandbox.run { sandbox in
                let base = Self.base + 60
                func sidecars(_ port: Int, _ program: String = "sleep") -> String {
                    """
                      api: { command: [\(program), "1000"], ports: { h: \(port) }, restart: never }
                      web: { command: [sleep, "${sidecars.api.ports.h}"], depends_on: [api] }
                    """
                }
                _ = try up(sidecars(base), in: sandbox)
                try sandbox.declare(sidecars(base + 1, "./missing"))
                #expect(try sandbox.orchestrate("up", "-d", within: 20).status == 1)
                #expect(sandbox.sidecars("web").map(\.arguments) == [["sleep", "\(base)"]])
                try #require(sandbox.supervisor).kill()
                let printed = try up(sidecars(base + 1), in: sandbox)
                #expect(printed.contains("web: addresses"), "\(printed)")
                #expect(sandbox.sidecars("web").map(\.arguments) == [["sleep", "\(base + 1)"]])
                #expect(try up(sidecars(base + 1), in: sandbox).contains("2 unchanged"))
                try sandbox.succeed("down")
            }
        }

        @Test func `a restart says whom it starts besides`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"], start: { settle: 0s } }
                      web: { command: [sleep, "1000"], start: { settle: 0s }, depends_on: [db] }
                    """)
                try sandbox.succeed("up", "-d")
                #expect(try sandbox.succeed("restart", "web").contains("restarts web\n"))
                try sandbox.succeed("stop", "db", "--force")
                #expect(try sandbox.succeed("restart", "web").contains("restarts web; starts db\n"))
                try sandbox.succeed("down")
            }
        }

        @Test func `an up says of whom it restarts why, and of nobody else that it does`() throws {
            try Sandbox.run { sandbox in
                func sidecars(_ round: Int, _ program: String = "sleep") -> String {
                    """
                      db: { command: [\(program), "100\(round)"], restart: never }
                      web: { command: [sleep, "200\(round)"], depends_on: [db] }
                    """
                }
                _ = try up(sidecars(1), in: sandbox)
                let web = sandbox.sidecars("web")
                try sandbox.declare(sidecars(2, "./missing"))
                #expect(try sandbox.orchestrate("up", "-d", within: 20).status == 1)
                #expect(try sandbox.succeed("status").contains("web: it runs as it was declared before"))
                #expect(try sandbox.succeed("why", "web").contains("its restart waits until db is well"))
                let back = try up(sidecars(1), in: sandbox)
                #expect(back.contains("1 restarted (db: command), 1 unchanged"), "\(back)")
                #expect(sandbox.sidecars("web") == web)
                try sandbox.declare(sidecars(2, "./missing"))
                #expect(try sandbox.orchestrate("up", "-d", within: 20).status == 1)
                let on = try up(sidecars(2), in: sandbox)
                #expect(on.contains("2 restarted (db: command; web: command)"), "\(on)")
                #expect(sandbox.sidecars("web") != web)
                try sandbox.succeed("down")
            }
        }

        @Test func `an instance is stopped and started without its siblings`() throws {
            try Sandbox.run { sandbox in
                _ = try up("  web: { command: [sleep, \"1000\"], replicas: 3 }", in: sandbox)
                try sandbox.succeed("stop", "web/1", within: 20)
                #expect(sandbox.sidecars("web").count == 2)
                try sandbox.succeed("stop", "web/2", within: 20)
                try sandbox.succeed("start", "web/1", within: 20)
                #expect(sandbox.sidecars("web").count == 2)
                #expect(try sandbox.succeed("restart", "web/0", within: 20).contains("restarts web/0\n"))
                try sandbox.succeed("down")
            }
        }

        @Test func `one that becomes several and is restarted too is waited for by its new name`() throws {
            try Sandbox.run { sandbox in
                for round in 0..<6 {
                    let replicas = round % 2 + 1
                    let printed = try up(
                        """
                          web: { command: [sleep, "1000"], replicas: \(replicas), env: { ROUND: "\(round)" } }
                          last: { command: [sleep, "1000"], depends_on: { web: started } }
                        """, in: sandbox)
                    #expect(printed.contains("all \(replicas + 1) ready"), "\(printed)")
                    #expect(sandbox.sidecars("web").count == replicas)
                }
                try sandbox.succeed("down")
            }
        }

        @Test func `a service that becomes a task is waited for until that has ended`() throws {
            try Sandbox.run { sandbox in
                func sidecars(_ kind: String, _ seconds: String) -> String {
                    """
                      first: { command: [sleep, "1000"], env: { KIND: \(kind) } }
                      job: { kind: \(kind), command: [sleep, "\(seconds)"], depends_on: { first: started } }
                    """
                }
                _ = try up(sidecars("service", "1000"), in: sandbox)
                _ = try up(sidecars("task", "0.3"), in: sandbox)
                #expect(try sandbox.succeed("status", "job").contains("completed"))
                try sandbox.succeed("down")
            }
        }
    }
}
