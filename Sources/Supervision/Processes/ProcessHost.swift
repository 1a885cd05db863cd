import CProcess
import Glibc
package import Reconciliation
package import SidecarModel

/// Starts, signals and empties processes, and tells of their ends.
///
/// Confined to the loop's thread. Children are the keeper's where there is one; spawning happens on a thread of its own.
/// Every callback may come before the call that caused it returns.
package final class ProcessHost {
    let loop: EventLoop
    let records: SpawnRecords
    /// Nil without a keeper, closed once it is lost.
    let link: KeeperLink?
    let groups: ControlGroups?
    /// Of what is started now.
    let bestContainment: Containment
    var spawner: Spawner?
    /// Tells those who wait for it that spawns are over.
    private(set) var ringForOutcomes: @Sendable () -> Void = {}
    var ordered = OrderedSpawns()
    /// While spawns are under way.
    var hangTimer: EventLoop.TimerID?
    /// Spawns that were given up and have not come to an end.
    var hanging: Set<ProcessID> = []
    let descriptors: KeeperDescriptors?
    let shortage = MemoryShortage()
    /// The soft limit of open files we were started with.
    let descriptorLimit: UInt64
    var processes: [HostedProcess?] = []
    /// Slots given back; one whose status the keeper still holds is not free yet.
    private var returned: [UInt32] = []
    /// Free, and the next to be taken.
    var spare: UInt32?
    let spareGroup = SpareGroup()
    private var returnedDescriptors: [HeldDescriptor]
    var awaitingSweep: Set<ProcessID> = []
    /// Cgroups that were looked at in this turn; past some, the spawner's threads do it.
    var clears = 0
    static let clearsAtOnce = 8
    private(set) var removals: Mailbox<Removal>?

    /// What became of the cgroup of a leader that ended.
    struct Removal: Sendable {
        var id: ProcessID
        var signal: Signal?
        var wasRemoved: Bool
    }

    /// Those before us ended too often within the last minute.
    package var supervisorIsBroken: Bool { records.supervisorIsBroken }

    /// The leader ended; its children may live. Never before the spawn's completion.
    package var onExit: (ProcessID, ExitStatus) -> Void = { _, _ in }
    /// Nothing of it lives. Answers `clear` and `kill`, once each time, never before `onExit`.
    package var onEmpty: (ProcessID) -> Void = { _ in }
    /// A spawn that was given up has come to its end after all: whatever runs is wanted by nobody.
    package var onUnwanted: (ProcessID) -> Void = { _ in }
    /// The keeper is gone. Processes live on and are watched from here; what is started now is our own child.
    package var onKeeperLost: () -> Void = {}

    /// - Parameters:
    ///   - descriptors: from the keeper; nil runs without one: children are ours, records in `stateDirectory`.
    ///   - containment: nil takes the best there is; any other than `.cgroup` does without cgroups.
    ///   - afterSpawns: called when spawns are over, once no other waits for a thread or some time has passed. On any
    ///     thread.
    package init(
        loop: EventLoop, stateDirectory: String, descriptors: KeeperDescriptors?,
        containment wanted: Containment.Level? = nil, afterSpawns: @escaping @Sendable () -> Void = {}
    ) throws(SystemError) {
        self.loop = loop
        self.descriptors = descriptors
        returnedDescriptors = descriptors?.returned ?? []
        let descriptorLimit = orch_raise_descriptor_limit()
        self.descriptorLimit = descriptorLimit
        if let descriptors {
            records = try SpawnRecords(descriptor: descriptors.records)
            link = try KeeperLink(loop: loop, socket: descriptors.socket)
        } else {
            records = try SpawnRecords(directory: stateDirectory)
            records.disownKeeper()
            link = nil
        }
        (groups, bestContainment) = Self.contain(records, hasKeeper: link != nil, wanted: wanted)
        let outcomes = loop.mailbox { [weak self] (outcome: Spawner.Outcome) in self?.take(outcome) }
        ringForOutcomes = {
            outcomes.ring()
            afterSpawns()
        }
        let spawner = Spawner(
            records: records, descriptorLimit: descriptorLimit,
            answer: { outcomes.send($0, rings: false) }, ring: ringForOutcomes)
        removals = loop.mailbox { [weak self] (removal: Removal) in self?.take(removal) }
        try spawner.start()
        self.spawner = spawner
        for slot in 0..<records.usedSlots where records.state(slot) == ORCH_SLOT_FREE { returned.append(slot) }
        returned.reverse()
        link?.onMessages = { [unowned self] messages in for message in messages { receive(message) } }
        link?.onClosed = { [unowned self] in loseKeeper() }
        loop.onTurnEnd { [weak self] in self?.sweepAwaiting() }
    }

    deinit {
        spawner?.end()
        for case .some(let process) in processes { dismiss(process) }
        for held in returnedDescriptors { close(held.descriptor) }
    }

    private static func contain(
        _ records: SpawnRecords, hasKeeper: Bool, wanted: Containment.Level?
    ) -> (ControlGroups?, Containment) {
        // The keeper counts for as long as there is one.
        let lesser: Containment.Level = hasKeeper ? .keeper : .session
        if let wanted, wanted != .cgroup {
            return (nil, Containment(level: lesser, description: "as asked for"))
        }
        do throws(ControlGroups.Unusable) {
            let groups = try ControlGroups.find(recorded: records.controlGroup, nonce: records.nonce)
            guard records.setControlGroup(groups.path) else {
                throw ControlGroups.Unusable(reason: "the cgroup's path is too long")
            }
            return (groups, Containment(level: .cgroup, description: "cgroup \(groups.path)"))
        } catch {
            return (nil, Containment(level: lesser, description: error.reason))
        }
    }

    /// The least that is true of all that lives. Who was started before the keeper was lost is no child of the one after
    /// it: what it leaves behind, unless it has a cgroup, returns to nobody of us.
    package var containment: Containment {
        let isLess = processes.contains { $0.map { $0.custody == .stranger && !$0.isInGroup } ?? false }
        guard bestContainment.level != .session, isLess else { return bestContainment }
        return Containment(
            level: .session,
            description: "the keeper was lost: what it had started is found by session and mark until its next restart")
    }

    // MARK: Talking to the keeper

    package var hasKeeper: Bool { link?.isOpen ?? false }
    package var keeperPID: Int32? { hasKeeper ? records.keeperPID : nil }

    /// The supervisor serves: the keeper closes the ready descriptor, and starts the supervisor again from now on,
    /// however it ends. To be said after the ready line was written. Sends at once.
    package func announceReady() {
        link?.send(ORCH_MESSAGE_READY)
        link?.flush()
    }

    /// All is down and released; the supervisor's end will be the keeper's. Sends at once.
    package func sayGoodbye() {
        spawner?.finish()
        spawner = nil
        // Without cgroups of our own there may be those of a life that had some.
        if let groups { groups.discard() } else { ControlGroups.discard(recorded: records.controlGroup) }
        link?.send(ORCH_MESSAGE_BYE)
        link?.flushAll()
    }

    /// Has copies of the descriptors kept open, whatever happens to us, until `drop`.
    package func hold(key: UInt64, _ descriptors: [Int32]) { link?.hold(key: key, descriptors) }
    package func drop(key: UInt64) { link?.drop(key: key) }
    /// The same `hold` from any thread, most of the time.
    package var shortcut: KeeperShortcut? { link?.shortcut }
    /// What an earlier supervisor had held to come back. The caller's from then on, and still held too. Once.
    package func takeReturned() -> [HeldDescriptor] {
        defer { returnedDescriptors = [] }
        return returnedDescriptors
    }

    /// Sends what is waiting for the end of the turn.
    package func flush() { link?.flush() }

    private func receive(_ message: orch_message) {
        guard let process = process(inSlot: message.slot), process.pid == message.pid || process.pid == 0 else {
            return
        }
        switch Int(message.type) {
        case ORCH_MESSAGE_EXITED:
            // A process without a pid yet is one whose spawn is still being reported.
            guard records.slot(message.slot).pointee.pid == message.pid else { return }
            if message.value == 0 { processes[Int(message.slot)]?.isKnownEmpty = true }
            leaderEnded(process.id, records.exitStatus(message.slot))
            // One that was found on record as ended, while the keeper's word of it was still under way.
            answerIfEmpty(process.id)
        case ORCH_MESSAGE_EMPTY:
            processes[Int(message.slot)]?.isKnownEmpty = true
            answerIfEmpty(process.id)
        case _: break
        }
    }

    private func loseKeeper() {
        for case .some(let process) in processes where process.custody == .keeper {
            processes[Int(process.id.slot)]?.custody = .stranger
            if process.isRunning { watchLeader(process.id) }
            if process.isAwaited, process.hasExited, !process.isInGroup { awaitSweep(process.id) }
        }
        onKeeperLost()
    }

    // MARK: Spawning

    /// Starts a process. The completion comes when it runs its program, or can't; `onExit` only after a success.
    /// A failed one leaves nothing behind and needs no release.
    package func spawn(
        _ request: ProcessRequest, completion: @escaping (Result<SpawnedProcess, SpawnFailure>) -> Void
    ) {
        let (slot, group): (UInt32, Int32?)
        do throws(SpawnFailure) {
            try refuseWhileHanging(request)
            if let spare = takeSpare() { (slot, group) = spare } else { (slot, group) = (try takeSlot(), nil) }
        } catch {
            completion(.failure(error))
            return
        }
        orch_slot_claim(&records.raw, slot, request.kind.rawValue, request.incarnation, request.name)
        if let stop = request.stop { records.setStop(stop, of: slot) }
        let id = ProcessID(slot: slot, generation: records.slot(slot).pointee.generation)
        let mark = orch_slot_mark_value(&records.raw, slot)
        let isKeepers = hasKeeper
        ordered.add(isAwaited: request.isAwaited)
        place(
            HostedProcess(
                id: id, name: request.name, kind: request.kind, phase: .spawning(completion),
                custody: isKeepers ? .keeper : .own, mark: mark, isInGroup: groups != nil))
        spawner?.spawn(
            Spawner.Order(
                id: id, request: request, mark: mark, isKeepersChild: isKeepers, groups: groups, group: group))
        makeSpare()
        watchForHanging()
        watchOutcomes()
    }

    /// Does on the spawner's thread what may take long.
    package func perform(_ work: @escaping @Sendable () -> Void) { spawner?.perform(work) }

    func takeSlot() throws(SpawnFailure) -> UInt32 {
        for index in returned.indices.reversed() where records.state(returned[index]) == ORCH_SLOT_FREE {
            // The last ones are the likeliest to be free; what is passed over is looked at again.
            return returned.remove(at: index)
        }
        let slot = records.usedSlots
        guard slot < ORCH_SLOT_COUNT else {
            throw SpawnFailure(
                step: .fork, message: "cannot start more than \(ORCH_SLOT_COUNT) processes in one project")
        }
        let failure = orch_records_reserve(&records.raw, slot)
        guard failure == 0 else {
            let error = SystemError(call: "cannot record the process", errno: -failure)
            throw SpawnFailure(
                step: .fork, message: "\(error)" + (error.remedy.map { "; \($0)" } ?? ""), errno: -failure)
        }
        return slot
    }

    // MARK: Signals and release

    /// Signals the leader, or its process group. Nothing happens when it has ended.
    package func signal(_ id: ProcessID, _ signal: Signal, to target: SignalTarget) {
        guard let process = process(id), process.isRunning, process.descriptor >= 0 else { return }
        switch target {
        case .leader: _ = orch_pidfd_signal(process.descriptor, signal.number)
        case .group:
            let failure = orch_pidfd_signal_group(process.descriptor, signal.number)
            // Before Linux 6.9. The number is the leader's until it is reaped, and that takes our release.
            if failure == -EINVAL, process.custody != .stranger { Glibc.kill(-process.pid, signal.number) }
        }
    }

    /// The process is over: its status is reaped, its record and cgroup freed.
    package func release(_ id: ProcessID) {
        guard let process = process(id), process.hasExited else { return }
        // One that was given up and ran after all stands in the way of the next until nothing of it lives.
        hanging.remove(id)
        dismiss(process)
        processes[Int(id.slot)] = nil
        if process.isInGroup, !process.isGroupRemoved, let groups { spawner?.remove(id, in: groups) }
        if process.custody == .keeper, hasKeeper {
            link?.send(ORCH_MESSAGE_RELEASE, slot: id.slot, pid: process.pid)
        } else {
            records.setState(id.slot, ORCH_SLOT_FREE)
        }
        returned.append(id.slot)
    }

    private func dismiss(_ process: HostedProcess) {
        if let watch = process.watch { loop.unwatch(watch) }
        if let watch = process.eventsWatch { loop.unwatch(watch) }
        if process.events >= 0 { close(process.events) }
        for member in process.members.values {
            loop.unwatch(member.watch)
            close(member.descriptor)
        }
        if process.descriptor >= 0 { close(process.descriptor) }
    }

    // MARK: The table

    func place(_ process: HostedProcess) {
        let slot = Int(process.id.slot)
        while processes.count <= slot { processes.append(nil) }
        processes[slot] = process
    }

    func process(_ id: ProcessID) -> HostedProcess? {
        guard let process = process(inSlot: id.slot), process.id == id else { return nil }
        return process
    }

    func process(inSlot slot: UInt32) -> HostedProcess? {
        Int(slot) < processes.count ? processes[Int(slot)] : nil
    }

    func giveBack(_ slot: UInt32) { returned.append(slot) }
}
