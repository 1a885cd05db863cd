import CProcess
import Glibc

/// What the keeper hands its supervisor: the argument
/// `--keeper-descriptors=SOCKET,LOCK,RECORDS,READY,ALARM,KEEPER,RETURNED`.
package struct KeeperDescriptors: Sendable {
    /// Messages to and from the keeper.
    package var socket: Int32
    /// The project's lock, held as long as it is open anywhere.
    package var lock: Int32
    package var records: Int32
    /// Where one line says that the supervisor serves; nil when it was said already, or nobody asks.
    package var ready: Int32?
    /// Once nobody holds it, the guard knows that keeper and supervisor are lost.
    package var alarm: Int32
    /// The keeper's program: to start one when it is lost.
    package var keeper: Int32
    /// Copies of what an earlier supervisor had it hold for the next one.
    package var returned: [HeldDescriptor]

    /// Reads the argument's value and marks the descriptors close-on-exec. Nil when it isn't one, or they aren't open.
    package init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int32($0) }
        guard parts.count == 7, let socket = parts[0], let lock = parts[1], let records = parts[2],
            let ready = parts[3], let alarm = parts[4], let keeper = parts[5], let list = parts[6]
        else { return nil }
        self.socket = socket
        self.lock = lock
        self.records = records
        self.ready = ready >= 0 ? ready : nil
        self.alarm = alarm
        self.keeper = keeper
        for descriptor in [socket, lock, records, alarm, keeper] + (ready >= 0 ? [ready] : []) {
            guard descriptor > 2, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
        }
        returned = list > 2 ? HeldDescriptor.read(list: list) : []
    }
}

/// A descriptor that the keeper holds under a key, and gives to every supervisor it starts.
package struct HeldDescriptor: Hashable, Sendable {
    package var key: UInt64
    package var descriptor: Int32

    /// To be in the key of what is to come back. Without it a descriptor is only kept open.
    package static var returnedKey: UInt64 { ORCH_HELD_RETURNED }

    /// Closes the list. Those that are not open are left out.
    fileprivate static func read(list: Int32) -> [HeldDescriptor] {
        defer { close(list) }
        var facts = stat()
        var handover = orch_handover()
        guard fstat(list, &facts) == 0 else { return [] }
        let capacity = min(Int(facts.st_size) / MemoryLayout<orch_held>.stride, Int(ORCH_HELD_LIMIT))
        var entries = [orch_held](repeating: orch_held(), count: capacity)
        guard orch_handover_read(list, &handover, &entries, capacity) == 0 else { return [] }
        return entries.prefix(Int(handover.count)).compactMap { entry in
            guard entry.fd > 2, fcntl(entry.fd, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
            return HeldDescriptor(key: entry.key, descriptor: entry.fd)
        }
    }
}
