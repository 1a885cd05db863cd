import CProcess
import Synchronization

/// A way to the keeper past the loop, for what is to be held before a process that may end at once is started: once it
/// is sent, the keeper gets it, whatever becomes of us. Closed while letters of the loop wait that it must not overtake.
///
/// Any thread may use it.
package final class KeeperShortcut: Sendable {
    private enum Way {
        case open, closed, ended
    }

    private let socket: Int32
    private let way = Mutex(Way.open)

    init(socket: Int32) { self.socket = socket }

    func open() { change(to: .open) }
    func close() { change(to: .closed) }

    /// Returns when nobody uses the socket any more.
    func end() { way.withLock { $0 = .ended } }

    private func change(to new: Way) { way.withLock { if $0 != .ended { $0 = new } } }

    /// As `ProcessHost.hold`. The descriptors stay the caller's.
    /// - Returns: false: it is for the loop to do.
    package func hold(key: UInt64, _ descriptors: [Int32]) -> Bool {
        var message = orch_message_make(UInt16(ORCH_MESSAGE_HOLD), 0, 0, 0, key)
        return way.withLock { way in
            switch way {
            case .ended: true
            case .closed: false
            case .open: orch_packet_send(socket, &message, 1, descriptors, min(descriptors.count, 4)) == 0
            }
        }
    }
}
