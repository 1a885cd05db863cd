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
                let status = try sandbox.start(program: [
                    "unshare", "-m", "sh", "-c", "umount -l /proc && exec \"$0\" status",
                    "\(sandbox.programs)/orchestrate",
                ]).end()
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

        @Test(.enabled(if: PlainGroup.isPossible, "needs root and cgroup2"))
        func `a project lives in the cgroup it was brought up in, wherever it was before`() throws {
            try Sandbox.run { sandbox in
                let group = try PlainGroup()
                defer { group.remove() }
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try #require(sandbox.controlGroup != nil)
                let former = sandbox.controlGroup
                // A supervisor after another one finds what runs where that left it.
                let supervisor = try #require(sandbox.supervisor)
                supervisor.kill()
                try sandbox.eventually("there is another") { sandbox.supervisor.map { $0 != supervisor } ?? false }
                try sandbox.succeed("restart", "web")
                #expect(sandbox.controlGroup == former)
                try sandbox.succeed("down")
                let up = try sandbox.shell("echo $$ >\(group.path)/cgroup.procs; exec orchestrate up -d").end()
                #expect(up.status == 0, "\(up.everything)")
                let own = try #require(sandbox.controlGroup)
                #expect(own.hasPrefix("\(group.path)/orchestrate-"), "\(own)")
                // Neither an up from elsewhere nor an upgrade moves what lives there.
                try sandbox.succeed("upgrade")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("restart", "web")
                #expect(sandbox.controlGroup == own)
                // Nor does the loss of all that looked after it.
                try sandbox.killSupervision()
                try sandbox.succeed("up", "-d")
                #expect(sandbox.controlGroup == own)
                try sandbox.succeed("down")
                try sandbox.eventually("it is empty") { sandbox.processes.isEmpty }
            }
        }

        @Test(.enabled(if: PlainGroup.isPossible, "needs root and cgroup2"))
        func `a supervisor that does without cgroups leaves none of an earlier one's behind`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                let group = try #require(sandbox.controlGroup)
                try sandbox.killSupervision()
                let up = try sandbox.start(["up", "-d"], environment: ["ORCHESTRATE_CONTAINMENT": "session"]).end()
                #expect(up.status == 0, "\(up.everything)")
                try sandbox.succeed("down")
                try sandbox.eventually("it is over") { sandbox.processes.isEmpty }
                #expect(access(group, F_OK) != 0)
            }
        }

        @Test(.enabled(if: canMount, "needs root, and mounts"))
        func `a registry of ports that cannot be made is said in words, and leaves no cgroup`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                try sandbox.eventually("it is down") { sandbox.processes.isEmpty }
                let own = try #require(sandbox.stateDirectory)
                let root = "\(sandbox.directory)/state/orchestrate"
                Directory.remove("\(root)/ports")
                // Of all that is kept only the project's own can be written.
                let up = try sandbox.shell(
                    """
                    export ORCHESTRATE_STATE_DIR=\(root)
                    exec unshare -m sh -c 'mount --bind \(root) \(root) && mount --bind \(own) \(own) &&
                        mount -o remount,bind,ro \(root) && exec orchestrate up -d'
                    """
                ).end()
                #expect(up.status == 1, "\(up.everything)")
                #expect(up.errors.contains("orchestrate: cannot use the registry of ports: "), "\(up.errors)")
            }
        }

        /// Answers who lives on.
        private static func loseSupervision(in sandbox: Sandbox) throws -> [SeenProcess] {
            try sandbox.declare(one)
            try sandbox.succeed("up", "-d")
            try sandbox.killSupervision()
            let sidecars = sandbox.sidecars()
            #expect(!sidecars.isEmpty)
            return sidecars
        }

        @Test func `what lost its supervision is neither started again nor denied under another state directory`()
            throws
        {
            try Sandbox.run { sandbox in
                let before = try Self.loseSupervision(in: sandbox)
                let elsewhere = ["XDG_STATE_HOME": "\(sandbox.directory)/elsewhere"]
                for command in [["up", "-d"], ["down"], ["status"], ["why", "web"]] {
                    let ended = try sandbox.start(command, environment: elsewhere).end()
                    #expect(ended.status == 7, "\(command): \(ended.everything)")
                    #expect(ended.errors.contains("ORCHESTRATE_STATE_DIR=\(sandbox.directory)/state/orchestrate"))
                }
                #expect(sandbox.sidecars() == before)
                try sandbox.succeed("down")
            }
        }

        @Test func `what was killed as a whole does not hinder anybody under another state directory`() throws {
            try Sandbox.run { sandbox in
                for sidecar in try Self.loseSupervision(in: sandbox) { sidecar.kill() }
                try sandbox.eventually("nothing of it lives") { sandbox.sidecars().isEmpty }
                let elsewhere = ["ORCHESTRATE_STATE_DIR": "\(sandbox.directory)/elsewhere"]
                let up = try sandbox.start(["up", "-d"], environment: elsewhere).end()
                #expect(up.status == 0, "\(up.everything)")
                let down = try sandbox.start(["down"], environment: elsewhere).end()
                #expect(down.status == 0, "\(down.everything)")
            }
        }

        @Test(.enabled(if: canMount, "needs root, and mounts"))
        func `what lost its supervision is neither started again nor denied where its state can't be written to`()
            throws
        {
            try Sandbox.run { sandbox in
                let before = try Self.loseSupervision(in: sandbox)
                let root = "\(sandbox.directory)/state/orchestrate"
                for command in ["up -d", "down", "restart web"] {
                    let script = "mount --bind \(root) \(root) && mount -o remount,bind,ro \(root) && exec orchestrate"
                    let ended = try sandbox.shell("exec unshare -m sh -c '\(script) \(command)'").end()
                    #expect(ended.status == 1, "\(command): \(ended.everything)")
                    #expect(ended.errors.contains("read-only file system"), "\(ended.everything)")
                    let list = try sandbox.shell("exec unshare -m sh -c '\(script) ls'").end()
                    #expect(list.output.contains("unsupervised"), "\(list.everything)")
                }
                #expect(sandbox.sidecars() == before)
                try sandbox.succeed("down")
                try sandbox.eventually("it is down") { sandbox.processes.isEmpty }
            }
        }

        @Test(arguments: [["logs"], ["logs", "web"], ["logs", "-f"], ["why", "web"], ["events"]])
        func `who reads under another state directory is told where the project runs`(_ command: [String]) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                let elsewhere = ["ORCHESTRATE_STATE_DIR": "\(sandbox.directory)/elsewhere"]
                let read = try sandbox.start(command, environment: elsewhere).end()
                #expect(read.status == 7, "\(read.everything)")
                #expect(read.errors.contains("ORCHESTRATE_STATE_DIR=\(sandbox.directory)/state/orchestrate"))
                try sandbox.succeed("down")
            }
        }
    }
}

/// A cgroup of version 2 with another one in it, and no limits.
private struct PlainGroup {
    private static let mount: String? = File.text("/proc/self/mountinfo").split(separator: "\n").lazy
        .filter { $0.contains(" - cgroup2 ") }.compactMap {
            $0.split(separator: " ").dropFirst(4).first.map(String.init)
        }
        .first

    static var isPossible: Bool {
        guard geteuid() == 0, let mount else { return false }
        return access("\(mount)/cgroup.procs", W_OK) == 0
    }

    let path: String

    init() throws {
        guard let mount = Self.mount else { throw HarnessError("no cgroup2") }
        path = "\(mount)/odd-\(getpid())-\(UInt32.random(in: 0 ... .max))/in"
        for directory in [String(path.dropLast(3)), path] {
            guard mkdir(directory, 0o755) == 0 else { throw HarnessError("cannot make \(directory): errno \(errno)") }
        }
    }

    /// The last one in it may still be on its way out.
    func remove() {
        _ = Deadline(seconds: 5).comes(every: 10) { rmdir(path) == 0 }
        rmdir(String(path.dropLast(3)))
    }
}
