import CProcess
import ControlAPI
import Glibc
import StateStore
import Supervision

/// The process the project's life hangs on, a foreground `up` or what `--owner-pid` names: watched by a pidfd of exactly
/// that process, so that its end is seen whatever way it ends, and a later process with its pid is never taken for it.
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

    static func conflict(with holder: ClientIdentity) -> ControlError {
        ControlError(
            .conflict,
            "the project hangs on the process with pid \(holder.pid) already; 'orchestrate up -d' lets go of it")
    }

    /// Throws `conflict` when another process holds it, `failed` when this one is gone already. Taken again for the same
    /// process, the newest token counts.
    /// - Parameter isOver: what the other one's hung on is going down, and comes up again for this one.
    func take(_ token: String, by client: ClientIdentity, fromWhatIsOver isOver: Bool) throws(ControlError) {
        let isOthers = current.map { self.token != token && $0.client != client } ?? false
        if let current, isOthers, !isOver { throw Self.conflict(with: current.client) }
        try follow(token, client, takenAt: isOthers ? WallClock.now : current?.takenAt ?? WallClock.now)
        journal.save(
            LeaseRow(
                token: token, pid: client.pid, startTime: client.startTime, bootID: client.bootID,
                takenAt: current?.takenAt.microseconds ?? 0))
    }

    /// After a restart of the supervisor. A process that ended meanwhile ends the lease now.
    func restore(_ row: LeaseRow) {
        let client = ClientIdentity(pid: row.pid, startTime: row.startTime, bootID: row.bootID)
        do throws(ControlError) {
            try follow(row.token, client, takenAt: Timestamp(microseconds: row.takenAt))
        } catch {
            onEnd("the process with pid \(row.pid) ended while no supervisor ran")
        }
    }

    /// The project lives on without.
    func release() {
        drop()
        current = nil
        journal.save(nil as LeaseRow?)
    }

    private func follow(_ token: String, _ client: ClientIdentity, takenAt: Timestamp) throws(ControlError) {
        let descriptor = orch_pidfd_open_proven(client.pid, client.startTime)
        guard descriptor >= 0 else {
            throw ControlError(.failed, "the process with pid \(client.pid) that the project was to hang on is gone")
        }
        do throws(SystemError) {
            let id = try loop.watch(descriptor, .read) { [unowned self] _ in ended(client) }
            // The former one only now: an end it has to tell of must not be lost to an attempt that failed.
            drop()
            watch = (id, descriptor)
        } catch {
            close(descriptor)
            throw ControlError(.internal, "cannot watch the process with pid \(client.pid): \(error)")
        }
        self.token = token
        current = LeaseReport(client: client, takenAt: takenAt)
    }

    /// That the project is to go down is stored before the lease is forgotten: a supervisor after us finds one or both.
    private func ended(_ client: ClientIdentity) {
        drop()
        onEnd("the process with pid \(client.pid) ended")
        release()
    }

    private func drop() {
        guard let watch else { return }
        loop.unwatch(watch.id)
        close(watch.descriptor)
        self.watch = nil
    }
}
