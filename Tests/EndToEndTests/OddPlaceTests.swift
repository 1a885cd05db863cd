import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// On hosts, in directories and with limits that hardly anybody has.
    @Suite
    struct OddPlaceTests {
        private static let one = "  web: { command: [sleep, \"1000\"] }"

        @Test(arguments: ["", "--exit-code-from web"])
        func `a supervisor that never comes up takes its keeper along, and a later up starts afresh`(
            _ options: String
        ) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                // What the first life left is longer than files may be now: each supervisor ends at its first write.
                let how = options.isEmpty ? "-d" : options
                let up = try sandbox.shell("ulimit -f 8; exec orchestrate up \(how)").end()
                #expect(up.status == 1, "\(up.everything)")
                #expect(up.errors.contains("supervisor.log"), "\(up.everything)")
                #expect(!up.errors.contains("sidecars go on"), "\(up.everything)")
                try sandbox.eventually("keeper and guard are gone") { sandbox.processes.isEmpty }
                #expect(try sandbox.succeed("down").contains("is running"))
                try sandbox.succeed("up", "-d")
                #expect(sandbox.sidecars("web").count == 1)
                try sandbox.succeed("down")
            }
        }

        @Test(.enabled(if: canMount, "needs root, and mounts"))
        func `without proc it is said that it is missing, whatever was asked for`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                let script = "umount -l /proc && exec \(sandbox.programs)/orchestrate status"
                let status = try sandbox.start(program: ["unshare", "-m", "sh", "-c", script]).end()
                #expect(status.status == 1, "\(status.everything)")
                #expect(status.output.isEmpty, "\(status.output)")
                #expect(status.errors.contains("/proc is not mounted here"), "\(status.errors)")
                #expect(status.errors.contains("mount -t proc proc /proc"), "\(status.errors)")
            }
        }

        @Test func `a manifest with a line break in its path is the same project each time`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                let manifest = "\(sandbox.directory)/two\nlines.yaml"
                try File.write(File.text(sandbox.manifest, first: 4096), to: manifest)
                try sandbox.succeed("up", "-d", "-f", manifest)
                let before = sandbox.sidecars()
                try sandbox.succeed("up", "-d", "-f", manifest)
                #expect(sandbox.sidecars() == before)
                try sandbox.succeed("down", "-f", manifest)
            }
        }

        @Test(arguments: ["ORCHESTRATE_STATE_DIR", "XDG_STATE_HOME", "HOME"])
        func `state is not kept in another directory than bytes that are no text name`(_ variable: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                let up = try sandbox.shell(
                    """
                    unset XDG_STATE_HOME HOME
                    export \(variable)="$PWD/$(printf 'st\\377te')"
                    exec orchestrate up -d
                    """
                ).end()
                #expect(up.status == 1, "\(up.everything)")
                #expect(up.errors.contains("where \(variable) says ($'"), "\(up.errors)")
                #expect(up.errors.contains("st\\xffte"), "\(up.errors)")
                #expect(up.errors.contains("by ORCHESTRATE_STATE_DIR"), "\(up.errors)")
                #expect(!Directory.entries(sandbox.directory).contains { $0.hasPrefix("st") })
            }
        }
    }
}
