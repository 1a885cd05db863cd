import Glibc

/// What the keeper hands its supervisor: the argument `--keeper-descriptors=SOCKET,LOCK,RECORDS,READY,ALARM,KEEPER`.
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

    /// Reads the argument's value and marks the descriptors close-on-exec. Nil when it isn't one, or they aren't open.
    package init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int32($0) }
        guard parts.count == 6, let socket = parts[0], let lock = parts[1], let records = parts[2],
            let ready = parts[3], let alarm = parts[4], let keeper = parts[5]
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
    }
}
