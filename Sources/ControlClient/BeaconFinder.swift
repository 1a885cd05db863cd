import CProcess
import ControlAPI
import Glibc

/// Finds where a project runs, whatever the state directory.
package enum BeaconFinder {
    package struct Beacon {
        package var stateDirectory: String
        package var supervisor: Int32
    }

    /// What its supervisor says, or nil when none runs. One of another user is not believed.
    package static func beacon(ofProject identity: String) -> Beacon? {
        let descriptor = orch_unix_connect_name(BeaconName.of(identity: identity, uid: geteuid()))
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        guard loop_peer_credentials(descriptor, &pid, &uid, &gid) == 0, uid == geteuid() else { return nil }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, 1000) > 0 {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return bytes.isEmpty ? nil : Beacon(stateDirectory: String(decoding: bytes, as: UTF8.self), supervisor: pid)
    }
}
