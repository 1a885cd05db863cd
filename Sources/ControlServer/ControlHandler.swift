package import ControlAPI

/// A client as the kernel vouches for it.
package struct ControlPeer: Hashable, Sendable {
    /// One connection; never used again for another.
    package struct ID: Hashable, Sendable {
        var number: UInt64
    }

    package var id: ID
    package var pid: Int32
    package var uid: UInt32
}

/// Carries requests out. Called on the loop's thread.
package protocol ControlHandler: AnyObject {
    typealias Reply = (Result<ControlResponse, ControlError>) -> Void

    /// - Parameter reply: to be called once, on the loop's thread, at once or later; harmless when the client is gone.
    func handle(_ request: ControlRequest, from peer: ControlPeer, reply: @escaping Reply)

    /// The client closed the connection or died: what hung on it ends.
    func connectionClosed(_ peer: ControlPeer)
}
