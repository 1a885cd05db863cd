import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// An app that comes back while what hung on its former self is still going down.
    @Suite
    struct LeaseOvertakingTests {
        /// Takes its time to end: until the gate is open.
        private static let slow =
            "  slow: { shell: \"trap ': <go; exit 0' TERM; echo up; while :; do sleep 1000 & wait; done\", health: { log: up } }"

        @Test(arguments: ["--lease stdin", "", "--owner-pid $$"])
        func `the new one's project is the new one's`(binding: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.slow)
                let gate = Gate("go", in: sandbox)
                let former = HeldInput(in: sandbox)
                let first = try sandbox.shell("exec orchestrate up --lease stdin <'\(former.path)'")
                try first.prints("ready after")
                former.close()
                try sandbox.eventually("it goes down") { try sandbox.succeed("status").contains("stopping") }
                let input = HeldInput(in: sandbox)
                let second = try sandbox.shell("exec orchestrate up \(binding) <'\(input.path)'")
                try first.prints("an up overtook it")
                #expect(try first.end().status == 7)
                gate.open()
                try second.prints("ready after")
                #expect(sandbox.sidecars("slow").count { $0.executable != "sleep" } == 1)
                // It hangs on this one, and on no one who is gone.
                second.signal(SIGKILL)
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
                let ended = try second.end()
                #expect(!ended.everything.contains("attached to a project that is up"), "\(ended.everything)")
                withExtendedLifetime(input) {}
            }
        }
    }
}
