import ControlAPI
import CProcess
import Glibc
package import Supervision

/// Tells whoever looks for the project under another state directory where it runs. It is a name and no file, so that
/// it is gone the moment its supervisor is.
package final class ProjectBeacon {
    private let loop: EventLoop
    private let descriptor: Int32
    private let reply: [UInt8]
    private var watch: EventLoop.WatchID?

    /// Nil when the name is taken: by another supervisor of the project, or by who has no business with it.
    package init?(loop: EventLoop, identity: String, stateDirectory: String) throws(SystemError) {
        let descriptor = orch_unix_listen_name(BeaconName.of(identity: identity, uid: geteuid()), 16)
        guard descriptor >= 0 else { return nil }
        self.loop = loop
        self.descriptor = descriptor
        reply = Array(stateDirectory.utf8)
        watch = try loop.watch(descriptor, .read) { [unowned self] _ in answer() }
    }

    deinit {
        if let watch { loop.unwatch(watch) }
        close(descriptor)
    }

    private func answer() {
        while true {
            let client = loop_accept(descriptor)
            guard client >= 0 else { return }
            // A name has no mode: anybody can ask.
            var pid: Int32 = 0
            var uid: UInt32 = 0
            var gid: UInt32 = 0
            if loop_peer_credentials(client, &pid, &uid, &gid) == 0, uid == geteuid() || uid == 0 {
                _ = send(client, reply, reply.count, Int32(MSG_NOSIGNAL))
            }
            close(client)
        }
    }
}
