import CProcess
package import ControlAPI
import Glibc
import SidecarModel
package import Supervision

/// Listens on the control socket, speaks JSON-RPC with each client, and sends events to those that subscribed.
///
/// Confined to the loop's thread. Output is gathered and written once per turn.
package final class ControlServer {
    private let loop: EventLoop
    private let listener: Int32
    private var listenerWatch: EventLoop.WatchID?
    private weak var handler: (any ControlHandler)?
    private var connections: [ControlPeer.ID: ControlConnection] = [:]
    private var unflushed: Set<ControlPeer.ID> = []
    private var flushTimer: EventLoop.TimerID?
    private var lastID: UInt64 = 0
    /// Of clients that were refused and may not have said yet what they are refused.
    private var refused: [ControlConnection] = []

    private static let maximumConnections = 512
    private static let maximumRefused = 64

    /// - Parameter listener: from `ControlSocket.listen`, owned from now on.
    package init(loop: EventLoop, listener: Int32, handler: any ControlHandler) throws(SystemError) {
        self.loop = loop
        self.listener = listener
        self.handler = handler
        listenerWatch = try loop.watch(listener, .read) { [unowned self] _ in accept() }
        loop.onTurnEnd { [weak self] in self?.flush() }
    }

    /// Closes every connection and the listener. What was queued is sent as far as the sockets take it.
    package func close() {
        flush()
        if let listenerWatch {
            loop.unwatch(listenerWatch)
            Glibc.close(listener)
        }
        listenerWatch = nil
        for connection in Array(connections.values) { drop(connection) }
        while !refused.isEmpty { Glibc.close(refused.removeFirst().descriptor) }
    }

    /// Clients there are now.
    package var connectionCount: Int { connections.count }

    /// Whether building reports for transitions is worth it.
    package var hasReportSubscribers: Bool {
        connections.values.contains { $0.subscription?.withReports ?? false }
    }

    /// Sends an event to whoever subscribed. Encoded at most twice, however many listen.
    package func publish(_ message: EventMessage) {
        var full: [UInt8]?
        var brief: [UInt8]?
        for connection in connections.values {
            guard let subscription = connection.subscription, subscription.wants(message.event) else { continue }
            if case .applied = message.event, !connection.isBehind {
                // It names every sidecar, and is told while the first of them are about to start.
                connection.queue { WireFormat.event(message) }
                needsFlush(connection)
                continue
            }
            let bytes: [UInt8]
            if subscription.withReports {
                bytes = full ?? WireFormat.event(message)
                full = bytes
            } else {
                bytes = brief ?? WireFormat.event(message.withoutReport)
                brief = bytes
            }
            connection.queueEvent(bytes, sequence: message.sequence, at: message.at)
            needsFlush(connection)
        }
    }

    // MARK: Connections

    private func accept() {
        while true {
            let descriptor = loop_accept(listener)
            if descriptor < 0 {
                switch errno {
                case EINTR, ECONNABORTED: continue
                case EMFILE, ENFILE, ENOBUFS, ENOMEM: pauseAccepting()
                default: break
                }
                return
            }
            admit(descriptor)
        }
    }

    /// Out of descriptors: the waiting client would wake the loop for ever.
    private func pauseAccepting() {
        guard let watch = listenerWatch else { return }
        try? loop.modify(watch, [])
        _ = loop.schedule(at: loop.now + .milliseconds(200)) { [weak self] in
            guard let self, let watch = listenerWatch else { return }
            try? loop.modify(watch, .read)
        }
    }

    private func admit(_ descriptor: Int32) {
        lastID += 1
        var peer = ControlPeer(id: .init(number: lastID), pid: 0, uid: 0)
        var group: UInt32 = 0
        guard loop_peer_credentials(descriptor, &peer.pid, &peer.uid, &group) == 0 else {
            Glibc.close(descriptor)
            return
        }
        let connection = ControlConnection(peer: peer, descriptor: descriptor)
        guard peer.uid == geteuid() || peer.uid == 0 else {
            return refuse(connection, "this project belongs to another user")
        }
        guard connections.count < Self.maximumConnections else {
            return refuse(connection, fullHouse)
        }
        do {
            connection.watch = try loop.watch(descriptor, .read) { [unowned self] readiness in
                serve(connection, readiness)
            }
        } catch {
            return refuse(connection, "\(error)")
        }
        connections[peer.id] = connection
    }

    /// With whom to turn to: the process that holds the most.
    private var fullHouse: String {
        let sentence = "the supervisor has \(Self.maximumConnections) clients and takes no more"
        let counts = Dictionary(connections.values.map { ($0.peer.pid, 1) }, uniquingKeysWith: +)
        // Those of another PID namespace have none.
        guard let most = counts.filter({ $0.key > 0 }).max(by: { ($0.value, $1.key) < ($1.value, $0.key) }),
            most.value > 1
        else { return sentence }
        return sentence
            + ": \(most.value) of them are the process with pid \(most.key). End it, or have it close what it does not use"
    }

    /// It is not hung up on at once: who still asks, and finds the connection closed, may never look at the reason.
    private func refuse(_ connection: ControlConnection, _ reason: String) {
        connection.queue(WireFormat.failure(ControlError(.conflict, reason), to: nil))
        _ = connection.flush()
        if refused.count == Self.maximumRefused { Glibc.close(refused.removeFirst().descriptor) }
        refused.append(connection)
        _ = loop.schedule(at: loop.now + .seconds(1)) { [weak self] in
            guard let self, let place = refused.firstIndex(where: { $0 === connection }) else { return }
            Glibc.close(refused.remove(at: place).descriptor)
        }
    }

    private func serve(_ connection: ControlConnection, _ readiness: EventLoop.Readiness) {
        if readiness.contains(.readable) {
            switch connection.read({ receive($0, on: connection) }) {
            case .later: break
            case .endOfStream: connection.isHalfClosed = true
            case .failed: return drop(connection)
            }
            if connection.backlog > ControlLimits.answerBacklogBytes { return drop(connection) }
        }
        // A hang-up means that the client can't read either: nothing it asked for can reach it.
        if readiness.contains(.hangup) || readiness.contains(.error) { return drop(connection) }
        needsFlush(connection)
    }

    private func drop(_ connection: ControlConnection) {
        guard connections.removeValue(forKey: connection.peer.id) != nil else { return }
        unflushed.remove(connection.peer.id)
        if let watch = connection.watch { loop.unwatch(watch) }
        connection.watch = nil
        Glibc.close(connection.descriptor)
        handler?.connectionClosed(connection.peer)
    }

    // MARK: Messages

    private func receive(_ piece: LineFraming.Piece, on connection: ControlConnection) {
        switch piece {
        case .tooLong:
            let limit = ControlLimits.requestBytes >> 20
            let error = ControlError(.requestTooLarge, "a request is at most \(limit) MiB")
            connection.queue(WireFormat.failure(error, to: nil))
        case .line(let line):
            // Whoever asks without reading would have its answers pile up here.
            guard connection.backlog <= ControlLimits.answerBacklogBytes else { return }
            do throws(RequestMessage.Refusal) {
                carryOut(try RequestMessage(line: line), for: connection)
            } catch {
                if error.isTold { connection.queue(WireFormat.failure(error.error, to: error.id)) }
            }
        }
    }

    private func carryOut(_ message: RequestMessage, for connection: ControlConnection) {
        if case .hello(let hello) = message.request, hello.version.major != ControlVersion.current.major {
            let error = ControlError(
                .incompatibleVersion,
                "the supervisor speaks version \(ControlVersion.current) and the client \(hello.version): "
                    + "use the orchestrate that started this project, or take it down with it first")
            if let id = message.id { connection.queue(WireFormat.failure(error, to: id)) }
            return
        }
        guard let handler else { return }
        connection.openRequests += 1
        let id = connection.peer.id
        var isAnswered = false
        handler.handle(message.request, from: connection.peer) { [weak self] result in
            guard let self, !isAnswered else { return }
            isAnswered = true
            answer(message, with: result, on: id)
        }
    }

    private func answer(
        _ message: RequestMessage, with result: Result<ControlResponse, ControlError>, on id: ControlPeer.ID
    ) {
        guard let connection = connections[id] else { return }
        connection.openRequests -= 1
        if let requestID = message.id {
            switch result {
            case .success(let response): connection.queue { WireFormat.response(response, to: requestID) }
            case .failure(let error): connection.queue(WireFormat.failure(error, to: requestID))
            }
        }
        // Only now: the snapshot in the answer comes before every event.
        if case .subscribe(let parameters) = message.request, case .success = result {
            connection.subscription = .init(withReports: parameters.withReports, states: Set(parameters.states))
        }
        needsFlush(connection)
    }

    // MARK: Output

    /// The flush at the turn's end does it, and no earlier: what an answer promises is stored and on its way first. The
    /// timer, which that flush cancels unarmed, makes another turn for what is queued after it.
    private func needsFlush(_ connection: ControlConnection) {
        unflushed.insert(connection.peer.id)
        if flushTimer == nil { flushTimer = loop.schedule(at: loop.now) {} }
    }

    /// Sends what was queued, as far as the sockets take it. Done at every turn's end.
    package func flush() {
        if let flushTimer { loop.cancel(flushTimer) }
        flushTimer = nil
        guard !unflushed.isEmpty else { return }
        let ready = unflushed
        unflushed.removeAll()
        for id in ready {
            guard let connection = connections[id], let watch = connection.watch else { continue }
            guard connection.flush(), !connection.isFinished else {
                drop(connection)
                continue
            }
            guard connection.interest != connection.watchedInterest else { continue }
            connection.watchedInterest = connection.interest
            do {
                try loop.modify(watch, connection.interest)
            } catch {
                drop(connection)
            }
        }
    }
}

extension EventMessage {
    fileprivate var withoutReport: EventMessage {
        guard case .transition(var transition) = event, transition.report != nil else { return self }
        transition.report = nil
        return EventMessage(sequence: sequence, at: at, event: .transition(transition))
    }
}
