import ChaosKit
import Glibc
import Testing

/// The programs as they are built, seen from outside. One test after the other: each has processes and time to itself.
@Suite(.serialized)
enum EndToEnd {
    /// Not in a container.
    static let isInFirstNamespace: Bool = {
        var facts = stat()
        return stat("/proc/self/ns/pid", &facts) == 0 && facts.st_ino == 0xEFFF_FFFC
    }()

    /// How a process ended is told to who has a pidfd of it, whoever has reaped it.
    static let kernelKeepsExits: Bool = {
        let release = File.text("/proc/sys/kernel/osrelease").split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return release.count == 2 && (release[0], release[1]) >= (6, 15)
    }()

    static let canMount: Bool = {
        guard getuid() == 0, let place = try? Directory.makeTemporary() else { return false }
        defer { Directory.remove(place) }
        let environment = ["PATH": Sandbox.path]
        guard
            let mount = try? Program(
                ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], directory: "/", environment: environment
            ),
            let mounted = try? mount.end(), mounted.status == 0
        else { return false }
        let unmount = try? Program(["umount", place], directory: "/", environment: environment)
        _ = try? unmount?.end()
        return true
    }()
}
