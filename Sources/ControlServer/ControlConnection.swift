import CProcess
import ControlAPI
import Glibc
import SidecarModel
import Supervision

/// One client: its descriptor, what came in of a line so far, and what has not gone out yet.
final class ControlConnection {
    struct Subscription {
        var withReports: Bool
        /// Empty: all.
        var states: Set<StateName>

        func wants(_ event: ControlEvent) -> Bool {
            guard !states.isEmpty, case .transition(let transition) = event else { return true }
            return states.contains(transition.to)
        }
    }

    let peer: ControlPeer
    let descriptor: Int32
    var watch: EventLoop.WatchID?
    var subscription: Subscription?
    /// Requests that wait for their answer.
    var openRequests = 0
    /// The client sends no more, but still reads.
    var isHalfClosed = false
    private var framing = LineFraming(limit: ControlLimits.requestBytes)
    private var output: [UInt8] = []
    private var written = 0
    /// What goes out after `output` and is not encoded yet: what was asked for is done before it is told.
    private var unencoded: [() -> [UInt8]] = []
    /// Events not queued, and when the last of them happened.
    private var missed = 0
    private var lastMissed: (sequence: UInt64, at: Timestamp)?
    /// What the loop watches for at present.
    var watchedInterest: EventLoop.Interest = .read

    /// What a client may leave unread before it isn't listened to any more.
    private static let pauseReadingAt = 8 << 20
    /// Few: what is not encoded is not counted in the backlog.
    private static let maximumUnencoded = 4

    init(peer: ControlPeer, descriptor: Int32) {
        self.peer = peer
        self.descriptor = descriptor
    }

    var backlog: Int { output.count - written }

    /// It misses events, or is about to.
    var isBehind: Bool { lastMissed != nil || backlog > ControlLimits.eventBacklogBytes / 2 }

    var interest: EventLoop.Interest {
        var interest: EventLoop.Interest = []
        if !isHalfClosed, backlog < Self.pauseReadingAt { interest.insert(.read) }
        if backlog > 0 { interest.insert(.write) }
        return interest
    }

    /// Nothing more will come of it in either direction.
    var isFinished: Bool { isHalfClosed && openRequests == 0 && backlog == 0 && subscription == nil }

    func queue(_ bytes: [UInt8]) {
        encodeRest()
        output.append(contentsOf: bytes)
    }

    /// Queues what is encoded at the turn's end, or before something else is queued.
    func queue(later encode: @escaping () -> [UInt8]) {
        if unencoded.count == Self.maximumUnencoded { encodeRest() }
        unencoded.append(encode)
    }

    private func encodeRest() {
        guard !unencoded.isEmpty else { return }
        for encode in unencoded { output.append(contentsOf: encode()) }
        unencoded.removeAll()
    }

    /// Takes an event, or counts it as missed when the client is too far behind.
    func queueEvent(_ bytes: [UInt8], sequence: UInt64, at: Timestamp) {
        guard backlog + bytes.count <= ControlLimits.eventBacklogBytes else {
            missed += 1
            lastMissed = (sequence, at)
            return
        }
        tellMissed()
        queue(bytes)
    }

    private func tellMissed() {
        guard let lastMissed else { return }
        queue(
            WireFormat.event(
                EventMessage(sequence: lastMissed.sequence, at: lastMissed.at, event: .missed(count: missed))))
        missed = 0
        self.lastMissed = nil
    }

    enum ReadEnd { case later, endOfStream, failed }

    /// Reads what there is, up to a bound so that one client can't hold the loop, and hands out complete lines.
    func read(_ handle: (LineFraming.Piece) -> Void) -> ReadEnd {
        for _ in 0..<16 {
            var pieces: [LineFraming.Piece] = []
            let count = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
                let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                if count > 0 { pieces = framing.append(UnsafeRawBufferPointer(buffer)[..<count]) }
                return count
            }
            for piece in pieces { handle(piece) }
            if count == 0 {
                if let rest = framing.finish() { handle(.line(rest)) }
                return .endOfStream
            }
            if count < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN ? .later : .failed
            }
            if count < 65_536 || backlog >= Self.pauseReadingAt { return .later }
        }
        return .later
    }

    /// Sends what the socket takes. False: the client is gone.
    func flush() -> Bool {
        encodeRest()
        guard write() else { return false }
        guard backlog == 0, lastMissed != nil else { return true }
        tellMissed()
        return write()
    }

    private func write() -> Bool {
        while backlog > 0 {
            let count = output.withUnsafeBytes { buffer in
                Glibc.send(
                    descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written,
                    Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN
            }
            written += count
        }
        output.removeAll(keepingCapacity: output.capacity <= 65_536)
        written = 0
        return true
    }
}
