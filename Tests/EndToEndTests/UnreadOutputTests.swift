import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// An app that has no use for the output of the command its project hangs on.
    @Suite
    struct UnreadOutputTests {
        @Test func `an app that closes the output keeps its project`() throws {
            try Sandbox.run { sandbox in
                let gate = Gate("go", in: sandbox)
                try sandbox.declare(
                    "  talker: { shell: \"echo up; : <go; for i in 1 2 3 4 5; do echo line $i; done; touch said; exec sleep 1000\", "
                        + "health: { log: up } }")
                let input = HeldInput(in: sandbox)
                let up = try sandbox.shell(
                    "{ orchestrate up --lease stdin <'\(input.path)' 2>&1; echo $? >code; } | head -n 1")
                try sandbox.eventually("it is up, and nobody reads") {
                    try sandbox.orchestrate("status").output.contains("1 of 1 healthy")
                }
                gate.open()
                try sandbox.eventually("it has said its lines") { File.exists("\(sandbox.directory)/said") }
                try sandbox.eventually("they are logged") { try sandbox.succeed("logs").contains("line 5") }
                #expect(try sandbox.succeed("status").contains("1 of 1 healthy"))
                input.close()
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
                _ = try up.end()
                #expect(File.text("\(sandbox.directory)/code").hasPrefix("0"))
            }
        }

        @Test func `the ready line comes although nobody reads the output before it`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    "  talker: { shell: \"i=0; while [ $i -lt 4000 ]; do echo $i $(printf %060d $i); i=$((i+1)); done; echo up; "
                        + "exec sleep 1000\", health: { log: \"^up\" } }")
                let input = HeldInput(in: sandbox)
                let line = "\(sandbox.directory)/ready.json"
                // The reader begins once the line is there.
                let up = try sandbox.shell(
                    "orchestrate up --lease stdin --ready-fd 3 <'\(input.path)' 3>'\(line)' "
                        + "| { until [ -s '\(line)' ]; do sleep 0.05; done; cat >/dev/null; }")
                try sandbox.eventually("the line is there") { !File.text(line).isEmpty }
                #expect(File.text(line).contains("\"ready\":true"))
                input.close()
                #expect(try up.end().status == 0)
            }
        }
    }
}
