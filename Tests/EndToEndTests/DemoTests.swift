import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// `make demo`, without the build.
    @Suite
    struct DemoTests {
        @Test func `the demo ends well, in a directory with spaces and as an ordinary user`() throws {
            // Root's own build may lie where nobody else can read; the demo takes the programs from where it is told.
            try Sandbox.run(as: getuid() == 0 ? 65534 : nil) { sandbox in
                let place = "\(sandbox.directory)/a place with spaces"
                let copied = try sandbox.tool(
                    "sh", "-c", "mkdir \"$0\" && cp -r \"$1\"/Scripts \"$1\"/examples \"$0\" && chmod -R a+rX \"$0\"",
                    place, Sandbox.package)
                #expect(copied == 0)
                let ended = try sandbox.start(program: ["\(place)/Scripts/demo", sandbox.programs]).end(within: 90)
                #expect(ended.status == 0, "\(ended.everything)")
                #expect(ended.output.hasSuffix("nothing is left running\n"))
            }
        }
    }
}
