import ControlAPI
import Glibc
import SidecarModel
import Supervision

/// Which sidecars have a client at their standard input and output. Confined to the loop's thread.
///
/// A client is there for as long as it holds its presence open: neither its connection nor this supervisor has to last.
final class AttachedClients {
    private struct Client {
        var presence: Int32
        var watch: EventLoop.WatchID
        /// Nil: it attached to an earlier supervisor.
        var pid: Int32?
    }

    private let loop: EventLoop
    private let logs: LogPump
    private var clients: [InstanceName: Client] = [:]
    private var waiting: [UInt64: () -> Void] = [:]
    private var lastToken: UInt64 = 0

    init(loop: EventLoop, logs: LogPump) {
        self.loop = loop
        self.logs = logs
    }

    deinit { for client in clients.values { close(client.presence) } }

    /// Calls `answer` once the output is the client's. Throws `conflict` when there is another one.
    /// - Parameters:
    ///   - shown: what people call the instance.
    ///   - isAlone: nobody else is there, whatever was seen last.
    func attach(
        _ name: InstanceName, shown: String, pid: Int32, isAlone: Bool, answer: @escaping () -> Void
    ) throws(ControlError) {
        if isAlone, clients[name] != nil { leave(name) }
        if let other = clients[name] {
            let who =
                (other.pid ?? logs.pidOfPresence(other.presence)).map { "pid \($0)" } ?? "since before this supervisor"
            throw ControlError(
                .conflict, "'\(shown)' has a client already (\(who)); one at a time may attach", names: [shown])
        }
        guard let presence = logs.openPresence(name.logInstance) else {
            throw ControlError(.failed, "cannot attach to '\(shown)': the client has not announced itself")
        }
        do throws(SystemError) {
            try admit(name, presence, pid: pid)
        } catch {
            throw ControlError(.failed, "cannot attach to '\(shown)': \(error)")
        }
        lastToken += 1
        waiting[lastToken] = answer
        logs.hold(name.logInstance, token: lastToken)
    }

    /// A client of an earlier supervisor may still be there. To be called before the log is taken up: its output is not
    /// ours then.
    func restore(_ name: InstanceName) {
        guard clients[name] == nil, let presence = logs.openPresence(name.logInstance) else { return }
        guard (try? admit(name, presence, pid: nil)) != nil else { return }
        logs.hold(name.logInstance, token: 0)
    }

    func client(of name: InstanceName) -> ClientReport? {
        clients[name].map { ClientReport(pid: $0.pid ?? logs.pidOfPresence($0.presence), processID: nil) }
    }

    func outputIsHeld(_ token: UInt64) { waiting.removeValue(forKey: token)?() }

    /// The instance is no longer declared.
    func forget(_ name: InstanceName) {
        guard let client = clients.removeValue(forKey: name) else { return }
        loop.unwatch(client.watch)
        close(client.presence)
    }

    private func admit(_ name: InstanceName, _ presence: Int32, pid: Int32?) throws(SystemError) {
        do throws(SystemError) {
            let watch = try loop.watch(presence, []) { [unowned self] _ in hungUp(name) }
            clients[name] = Client(presence: presence, watch: watch, pid: pid)
        } catch {
            close(presence)
            throw error
        }
    }

    private func hungUp(_ name: InstanceName) {
        // The next one may have come in the same turn.
        if let client = clients[name], logs.hasLeft(client.presence) { leave(name) }
    }

    private func leave(_ name: InstanceName) {
        forget(name)
        logs.resume(name.logInstance)
    }
}
