import CProcess
import ControlAPI
import Glibc
import Reconciliation
import SidecarModel
import Supervision

/// The clients of sidecars that run a process for each, and these processes. Confined to the loop's thread.
///
/// To the core such a sidecar is one life without a process: it begins when its door opens, its leader has ended when no
/// client's leader lives, and it is empty when nothing of any of them does. So order, grace and proof are the core's;
/// which client comes and goes is known here alone. No byte passes: a process reads and writes its client's connection,
/// or the very input and output that `orchestrate attach` was given.
final class ClientSessions {
    /// The most clients of one sidecar. Each is a process of its own: one that connects again and again and never hangs
    /// up is to be told so before the machine is full.
    static let mostClients = 64

    let loop: EventLoop
    let host: ProcessHost
    let logs: LogPump
    private let stateDirectory: String
    unowned var supervisor: Supervisor!

    /// By the instance's place.
    private var doors: [Int: OpenDoor] = [:]
    private(set) var sessions: [UInt64: ClientSession] = [:]
    var owners: [ProcessID: UInt64] = [:]
    private var lastNumber: UInt64 = 0
    /// What an earlier supervisor left in the keeper's hands.
    private var returned: [UInt64: Int32] = [:]

    init(loop: EventLoop, host: ProcessHost, logs: LogPump, stateDirectory: String) {
        self.loop = loop
        self.host = host
        self.logs = logs
        self.stateDirectory = stateDirectory
    }

    deinit {
        for door in doors.values where !door.isClosed {
            close(door.stream)
            close(door.attach)
        }
        for session in sessions.values where session.connection >= 0 {
            session.closeLent()
            close(session.connection)
        }
        for descriptor in returned.values { close(descriptor) }
    }

    // MARK: What the core asks for

    /// The life begins: clients may come.
    func open(_ index: InstanceIndex, _ incarnation: Incarnation, _ name: InstanceName) throws(SpawnFailure) {
        do throws(SystemError) {
            let sockets = try openSockets(of: name)
            try admit(
                OpenDoor(
                    index: index, incarnation: incarnation, name: name, place: place(of: name),
                    stream: sockets.stream, attach: sockets.attach))
        } catch {
            throw SpawnFailure(
                step: .descriptors, message: "cannot let clients of '\(name.sidecar)' in: \(error)",
                errno: error.errno)
        }
    }

    /// True when it was for a life that is known here.
    func signal(
        _ index: InstanceIndex, _ incarnation: Incarnation, _ signal: Signal, _ target: SignalTarget
    ) -> Bool {
        guard closeDoor(index, incarnation) else { return false }
        for session in sessions(of: index) {
            switch session.phase {
            case .arriving: leave(session)
            case .spawning: session.wishes.append(.signal(signal, target))
            case .running(let process): host.signal(process, signal, to: target)
            case .clearing: break
            }
        }
        settle(index)
        return true
    }

    /// Those whose leader has ended are being cleared already.
    func clear(_ index: InstanceIndex, _ incarnation: Incarnation) -> Bool {
        guard closeDoor(index, incarnation) else { return false }
        doors[index.value]?.isAwaited = true
        settle(index)
        return true
    }

    func kill(_ index: InstanceIndex, _ incarnation: Incarnation) -> Bool {
        guard closeDoor(index, incarnation) else { return false }
        doors[index.value]?.isAwaited = true
        for session in sessions(of: index) {
            switch session.phase {
            case .arriving: leave(session)
            case .spawning: session.wishes.append(.kill)
            case .running(let process), .clearing(let process): host.kill(process)
            }
        }
        settle(index)
        return true
    }

    /// The life is over and empty.
    func release(_ index: InstanceIndex, _ incarnation: Incarnation) -> Bool {
        guard closeDoor(index, incarnation) else { return false }
        doors[index.value] = nil
        return true
    }

    // MARK: What is known of them

    func knows(_ index: InstanceIndex) -> Bool { doors[index.value] != nil }

    /// In the order they came.
    func sessions(of index: InstanceIndex) -> [ClientSession] {
        guard !sessions.isEmpty else { return [] }
        return sessions.values.filter { $0.index == index }.sorted { $0.number < $1.number }
    }

    func processes(of index: InstanceIndex) -> [ProcessID] { sessions(of: index).compactMap(\.process) }

    /// Where any program may connect, while it may.
    func socketPath(of index: InstanceIndex) -> String? {
        doors[index.value].flatMap { $0.isClosed ? nil : $0.place.streamPath }
    }

    /// What the keeper is to go on holding when it is another one.
    var held: [(key: UInt64, descriptor: Int32)] {
        let sockets = doors.values.filter { !$0.isClosed }.flatMap { door in
            let keys = OpenDoor.holdKeys(of: door.name)
            return [(keys.stream, door.stream), (keys.attach, door.attach)]
        }
        return sockets + sessions.values.filter { $0.connection >= 0 }.map { ($0.holdKey, $0.connection) }
    }

    // MARK: Doors

    /// New ones, which the keeper holds for the next supervisor too.
    func openSockets(of name: InstanceName) throws(SystemError) -> (stream: Int32, attach: Int32) {
        let sockets = try place(of: name).open()
        let keys = OpenDoor.holdKeys(of: name)
        host.hold(key: keys.stream, [sockets.stream])
        host.hold(key: keys.attach, [sockets.attach])
        return sockets
    }

    /// The keeper holds them no longer.
    func dropSockets(of name: InstanceName) {
        let keys = OpenDoor.holdKeys(of: name)
        host.drop(key: keys.stream)
        host.drop(key: keys.attach)
    }

    func admit(_ door: OpenDoor) throws(SystemError) {
        var door = door
        let index = door.index
        do throws(SystemError) {
            for (socket, isTold) in [(door.stream, false), (door.attach, true)] {
                door.watches.append(
                    try loop.watch(socket, .read) { [unowned self] _ in accept(at: index, isTold: isTold) })
            }
        } catch {
            shut(&door)
            throw error
        }
        doors[index.value] = door
    }

    /// Nobody comes in any more. False when it is no life that is known here.
    private func closeDoor(_ index: InstanceIndex, _ incarnation: Incarnation) -> Bool {
        guard var door = doors[index.value], door.incarnation == incarnation else { return false }
        guard !door.isClosed else { return true }
        shut(&door)
        doors[index.value] = door
        return true
    }

    private func shut(_ door: inout OpenDoor) {
        for watch in door.watches { loop.unwatch(watch) }
        door.watches = []
        door.place.remove()
        close(door.stream)
        close(door.attach)
        dropSockets(of: door.name)
        door.isClosed = true
    }

    /// Out of descriptors: who waits would wake the loop for ever.
    private func pause(_ index: InstanceIndex) {
        guard let door = doors[index.value] else { return }
        for watch in door.watches { try? loop.modify(watch, []) }
        _ = loop.schedule(at: loop.now + .milliseconds(200)) { [weak self] in
            guard let self, let door = doors[index.value] else { return }
            for watch in door.watches { try? loop.modify(watch, .read) }
        }
    }

    private func accept(at index: InstanceIndex, isTold: Bool) {
        while let door = doors[index.value], !door.isClosed {
            let connection = loop_accept(isTold ? door.attach : door.stream)
            if connection >= 0 {
                letIn(connection, by: door, isTold: isTold)
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: pause(index)
            default: break
            }
            return
        }
    }

    private func letIn(_ connection: Int32, by door: OpenDoor, isTold: Bool) {
        var pid: Int32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
        guard loop_peer_credentials(connection, &pid, &user, &group) == 0, user == geteuid() || user == 0 else {
            return refuse(connection, isTold: isTold, "this project belongs to another user")
        }
        guard sessions(of: door.index).count < Self.mostClients else {
            let reason =
                "'\(door.name.sidecar)' has \(Self.mostClients) clients, the most it may have; each is a process of its own"
            logs.notice(door.name.logInstance, "pid \(pid) was turned away: \(reason)")
            return refuse(connection, isTold: isTold, reason)
        }
        guard !DescriptorRoom.isTaken(by: connection) else {
            let reason =
                "the supervisor has no more descriptors: raise its limit on open files (ulimit -n), then down and up"
            logs.notice(door.name.logInstance, "pid \(pid) was turned away: \(reason)")
            return refuse(connection, isTold: isTold, reason)
        }
        lastNumber += 1
        let session = ClientSession(
            number: lastNumber, index: door.index, name: door.name, connection: connection, isTold: isTold, pid: pid,
            phase: isTold ? .arriving : .spawning)
        do throws(SystemError) {
            try watch(session)
        } catch {
            return refuse(connection, isTold: isTold, "\(error)")
        }
        guard !isTold else { return }
        // It is the process's own input and output, which expects them to wait.
        _ = fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) & ~O_NONBLOCK)
        // A copy, as the client may leave before the process has it.
        session.lent = [fcntl(connection, F_DUPFD_CLOEXEC, 3)]
        begin(session)
    }

    private func refuse(_ connection: Int32, isTold: Bool, _ reason: String) {
        if isTold { ClientChannel.send(.refused(reason), to: connection) }
        close(connection)
    }

    // MARK: Sessions

    /// Takes it in among those that are known.
    func watch(_ session: ClientSession) throws(SystemError) {
        // Of others' connections nothing is read: what comes is for the process. That they are gone shows all the same.
        session.watch = try loop.watch(session.connection, session.isTold ? .read : []) { [unowned self] readiness in
            heard(from: session, readiness)
        }
        sessions[session.number] = session
        if let process = session.process { owners[process] = session.number }
    }

    func forget(_ session: ClientSession) {
        if let process = session.process { owners[process] = nil }
        if let timer = session.timer { loop.cancel(timer) }
        hangUp(session)
        session.closeLent()
        sessions[session.number] = nil
        settle(session.index)
    }

    /// The client has nothing more to expect.
    func hangUp(_ session: ClientSession) {
        guard session.connection >= 0 else { return }
        if let watch = session.watch { loop.unwatch(watch) }
        session.watch = nil
        close(session.connection)
        session.connection = -1
        host.drop(key: session.holdKey)
    }

    /// Tells the core what it waits for.
    private func settle(_ index: InstanceIndex) {
        guard let door = doors[index.value], door.isClosed else { return }
        let sessions = sessions(of: index)
        if !door.isExitTold, !sessions.contains(where: \.leaderLives) {
            doors[index.value]?.isExitTold = true
            supervisor.engine.observe(.exited(index, door.incarnation, .code(0)))
        }
        guard doors[index.value]?.isExitTold == true, door.isAwaited, sessions.isEmpty else { return }
        doors[index.value]?.isAwaited = false
        supervisor.engine.observe(.emptied(index, door.incarnation))
    }

    // MARK: After an earlier supervisor

    /// Before anything else of it: takes what the keeper kept.
    func takeReturned() {
        for held in host.takeReturned() {
            returned[held.key] = held.descriptor
            if held.key < OpenDoor.firstHoldKey {
                lastNumber = max(lastNumber, held.key & ~HeldDescriptor.returnedKey)
            }
        }
    }

    func returned(_ key: UInt64) -> Int32? { returned.removeValue(forKey: key) }

    func place(of name: InstanceName) -> ClientDoor {
        ClientDoor(stateDirectory: stateDirectory, instance: name.logInstance)
    }

    /// A process of an earlier supervisor, whose life is known here again.
    func resume(_ process: AdoptedProcess, of index: InstanceIndex, _ name: InstanceName) {
        lastNumber = max(lastNumber, process.incarnation)
        let connection = returned(HeldDescriptor.returnedKey | process.incarnation) ?? -1
        var pid: Int32 = 0
        var owner: (user: UInt32, group: UInt32) = (0, 0)
        if connection >= 0 { _ = loop_peer_credentials(connection, &pid, &owner.user, &owner.group) }
        let session = ClientSession(
            number: process.incarnation, index: index, name: name, connection: connection,
            isTold: connection >= 0 && ClientChannel.keepsBorders(connection), pid: pid, phase: .running(process.id))
        session.processID = host.pid(of: process.id)
        sessions[session.number] = session
        owners[process.id] = session.number
        // The earlier supervisor may not have come to that. Twice is harmless.
        tell(session, .started(pid: session.processID ?? 0), with: host.descriptor(of: process.id))
        if case .exited(let status) = process.condition {
            _ = exited(process.id, status)
        } else if connection < 0 || (try? watch(session)) == nil {
            leave(session)
        }
    }

    /// What nobody claimed: clients that were let in and had no process yet. They come again, or see that it is over.
    func dropReturned() {
        for (key, descriptor) in returned {
            close(descriptor)
            host.drop(key: key)
        }
        returned = [:]
    }

    /// For a life that is being ended: nobody comes in.
    func resumeClosed(_ index: InstanceIndex, _ incarnation: Incarnation, _ name: InstanceName) {
        var door = OpenDoor(
            index: index, incarnation: incarnation, name: name, place: place(of: name), stream: -1, attach: -1)
        door.isClosed = true
        door.place.remove()
        doors[index.value] = door
    }
}
