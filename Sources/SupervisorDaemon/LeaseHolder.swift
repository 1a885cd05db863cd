import CProcess
import ControlAPI
import Glibc
import StateStore
import Supervision

/// The client the project's life hangs on: watched by a pidfd of exactly that process, so that its end is seen whatever
/// way it ends, and a later process with its pid is never taken for it.
final class LeaseHolder {
    private let loop: EventLoop
    private let journal: Journal
    private let onEnd: (String) -> Void
    private(set) var current: LeaseReport?
    private var token = ""
    private var watch: (id: EventLoop.WatchID, descriptor: Int32)?

    init(loop: EventLoop, journal: Journal, onEnd: @escaping (String) -> Void) {
        self.loop = loop
        self.journal = journal
        self.onEnd = onEnd
    }

    deinit { drop() }

    func isHolder(_ token: String) -> Bool { current != nil && token == self.token }

    /// Throws `conflict` when another client holds it, `failed` when the client is gone already.
    func take(_ token: String, by client: ClientIdentity) throws(ControlError) {
        if let current, self.token != token {
            throw ControlError(.conflict, "the project hangs on the client with pid \(current.client.pid) already")
        }
        try follow(token, client, takenAt: current?.takenAt ?? WallClock.now)
        journal.save(
            LeaseRow(
                token: token, pid: client.pid, startTime: client.startTime, bootID: client.bootID,
                takenAt: current?.takenAt.microseconds ?? 0))
    }

    /// After a restart of the supervisor. A client that ended meanwhile ends the lease now.
    func restore(_ row: LeaseRow) {
        let client = ClientIdentity(pid: row.pid, startTime: row.startTime, bootID: row.bootID)
        do throws(ControlError) {
            try follow(row.token, client, takenAt: Timestamp(microseconds: row.takenAt))
        } catch {
            onEnd("the client with pid \(row.pid) ended while no supervisor ran")
        }
    }

    /// The project lives on without.
    func release() {
        drop()
        current = nil
        journal.save(nil as LeaseRow?)
    }

    private func follow(_ token: String, _ client: ClientIdentity, takenAt: Timestamp) throws(ControlError) {
        drop()
        let descriptor = orch_pidfd_open_proven(client.pid, client.startTime)
        guard descriptor >= 0 else {
            throw ControlError(.failed, "the client with pid \(client.pid) that wants the lease is gone")
        }
        do throws(SystemError) {
            let id = try loop.watch(descriptor, .read) { [unowned self] _ in
                release()
                onEnd("the client with pid \(client.pid) ended")
            }
            watch = (id, descriptor)
        } catch {
            close(descriptor)
            throw ControlError(.internal, "cannot watch the client with pid \(client.pid): \(error)")
        }
        self.token = token
        current = LeaseReport(client: client, takenAt: takenAt)
    }

    private func drop() {
        guard let watch else { return }
        loop.unwatch(watch.id)
        close(watch.descriptor)
        self.watch = nil
    }
}
