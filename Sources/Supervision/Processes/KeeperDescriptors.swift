import Glibc

/// What the keeper hands its supervisor: the argument `--keeper-descriptors=SOCKET,LOCK,RECORDS,READY`.
package struct KeeperDescriptors: Sendable {
    /// Messages to and from the keeper.
    package var socket: Int32
    /// The project's lock, held as long as it is open anywhere.
    package var lock: Int32
    package var records: Int32
    /// Where one line says that the supervisor serves; nil when it was said already, or nobody asks.
    package var ready: Int32?

    /// Reads the argument's value and marks the descriptors close-on-exec. Nil when it isn't one, or they aren't open.
    package init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int32($0) }
        guard parts.count == 4, let socket = parts[0], let lock = parts[1], let records = parts[2],
            let ready = parts[3]
        else { return nil }
        self.socket = socket
        self.lock = lock
        self.records = records
        self.ready = ready >= 0 ? ready : nil
        for descriptor in [socket, lock, records] + (ready >= 0 ? [ready] : []) {
            guard descriptor > 2, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
        }
    }
}
