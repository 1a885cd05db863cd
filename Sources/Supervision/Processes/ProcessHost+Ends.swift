import CProcess
import Glibc
package import SidecarModel

// Ends of leaders, and of what they leave behind.
extension ProcessHost {
    func leaderEnded(_ id: ProcessID, _ seen: ExitStatus) {
        guard let process = process(id) else { return }
        let status = explained(seen, of: process)
        let slot = Int(id.slot)
        switch process.phase {
        case .exited: return
        case .spawning, .hanging:
            processes[slot]?.earlyExit = status
            return
        case .running: break
        }
        if let watch = process.watch { loop.unwatch(watch) }
        processes[slot]?.watch = nil
        processes[slot]?.phase = .exited(status)
        onExit(id, status)
        if self.process(id)?.isAwaited == true { look(id) }
    }

    /// Whom we did not kill may have been killed by the kernel.
    private func explained(_ status: ExitStatus, of process: HostedProcess) -> ExitStatus {
        guard status == .signal(.kill), !process.isKilling else { return status }
        let group = process.isInGroup ? groups?.directoryPath(of: process.id) : nil
        let pid = process.pid != 0 ? process.pid : records.slot(process.id.slot).pointee.pid
        return shortage.killed(pid, group: group) ? .outOfMemory : status
    }

    // MARK: Leaders that are not the keeper's

    func watchLeader(_ id: ProcessID) {
        guard let process = process(id), process.descriptor >= 0, process.watch == nil else { return }
        let watch = try? loop.watch(process.descriptor, .read) { [unowned self] readiness in
            leaderIsReady(id, wasReaped: readiness.contains(.hangup))
        }
        processes[Int(id.slot)]?.watch = watch
    }

    private func leaderIsReady(_ id: ProcessID, wasReaped: Bool) {
        guard let process = process(id) else { return }
        var kind: Int32 = 0
        var value: Int32 = 0
        if process.custody == .own {
            if orch_pidfd_reap(process.descriptor, &kind, &value) == 0 {
                record(id, kind: kind, value: value)
                leaderEnded(id, ExitStatus(kind: kind, value: value))
            }
            return
        }
        let failure = orch_pidfd_exit_status(process.descriptor, &kind, &value)
        if failure == 0 {
            record(id, kind: kind, value: value)
            leaderEnded(id, ExitStatus(kind: kind, value: value))
        } else if failure == -EAGAIN, !wasReaped, let watch = process.watch {
            // Another user's: the kernel tells once its parent has reaped it, which shows as a hang-up. A parent that
            // doesn't is not waited for.
            try? loop.modify(watch, [])
            _ = loop.schedule(at: loop.now + .milliseconds(100)) { [weak self] in self?.leaderEnded(id, .unknown) }
        } else {
            leaderEnded(id, .unknown)
        }
    }

    private func record(_ id: ProcessID, kind: Int32, value: Int32) {
        let slot = records.slot(id.slot)
        slot.pointee.exit_kind = kind
        slot.pointee.exit_value = value
        records.setState(id.slot, ORCH_SLOT_EXITED)
    }

    // MARK: Emptiness

    /// The leader is gone: signals whatever remains of it, and calls `onEmpty` as soon as nothing does.
    package func clear(_ id: ProcessID, _ signal: Signal?) {
        guard let process = process(id) else { return }
        processes[Int(id.slot)]?.isAwaited = true
        if process.isInGroup, let groups {
            clears += 1
            guard clears > Self.clearsAtOnce, process.hasExited, let removals else {
                clear(id, signal, in: groups, wasRemoved: process.hasExited && groups.removeIfEmpty(id))
                return
            }
            // Many end together: the loop sees to the next one meanwhile.
            perform { removals.send(Removal(id: id, signal: signal, wasRemoved: groups.removeIfEmpty(id))) }
            return
        } else if !process.isKnownEmpty {
            if asksKeeper(process) {
                link?.send(ORCH_MESSAGE_CLEAR, slot: id.slot, value: signal?.number ?? 0)
                return
            }
            if let signal { for pid in members(of: id) where pid != process.pid { deliver(signal, to: pid, process) } }
        }
        look(id)
    }

    func take(_ removal: Removal) {
        guard let groups, process(removal.id)?.isAwaited == true else { return }
        clear(removal.id, removal.signal, in: groups, wasRemoved: removal.wasRemoved)
    }

    /// - Parameter wasRemoved: its cgroup is gone, which shows that nobody was in it.
    private func clear(_ id: ProcessID, _ signal: Signal?, in groups: ControlGroups, wasRemoved: Bool) {
        if wasRemoved {
            processes[Int(id.slot)]?.isKnownEmpty = true
            processes[Int(id.slot)]?.isGroupRemoved = true
        } else if !isPopulated(id) {
            processes[Int(id.slot)]?.isKnownEmpty = true
        } else if let signal {
            groups.signal(id, signal.number)
        }
        look(id)
    }

    /// SIGKILL to the leader and all that remains or appears, until nothing does; then `onEmpty`.
    package func kill(_ id: ProcessID) {
        guard let process = process(id) else { return }
        processes[Int(id.slot)]?.isAwaited = true
        processes[Int(id.slot)]?.isKilling = true
        if process.isRunning, process.descriptor >= 0 {
            if orch_pidfd_signal_group(process.descriptor, SIGKILL) == -EINVAL, process.custody != .stranger {
                Glibc.kill(-process.pid, SIGKILL)
            }
            _ = orch_pidfd_signal(process.descriptor, SIGKILL)
        }
        if process.isInGroup, let groups {
            groups.kill(id)
        } else if !process.isKnownEmpty, asksKeeper(process) {
            link?.send(ORCH_MESSAGE_KILL, slot: id.slot)
            return
        } else if !process.isKnownEmpty {
            // Not only once the leader has ended: it may be one that can't.
            sweep(id)
        }
        look(id)
    }

    private func asksKeeper(_ process: HostedProcess) -> Bool { process.custody == .keeper && hasKeeper }

    /// Calls `onEmpty` if nothing lives, else sees to it that we learn of it.
    private func look(_ id: ProcessID) {
        guard let process = process(id), process.isAwaited else { return }
        // Before its end there is nothing to find out: the leader is one of them.
        guard process.hasExited else { return }
        if process.isInGroup, groups != nil {
            if !process.isKnownEmpty {
                if !isPopulated(id) { processes[Int(id.slot)]?.isKnownEmpty = true } else { watchGroup(id) }
            }
        } else if !process.isKnownEmpty, !asksKeeper(process) {
            sweep(id)
        }
        answerIfEmpty(id)
    }

    func answerIfEmpty(_ id: ProcessID) {
        guard let process = process(id), process.isAwaited, process.isKnownEmpty, process.hasExited else { return }
        let slot = Int(id.slot)
        processes[slot]?.isAwaited = false
        processes[slot]?.isKilling = false
        if let watch = process.eventsWatch { loop.unwatch(watch) }
        if process.events >= 0 { close(process.events) }
        processes[slot]?.eventsWatch = nil
        processes[slot]?.events = -1
        onEmpty(id)
    }

    // MARK: Level A

    private func isPopulated(_ id: ProcessID) -> Bool {
        guard let process = process(id), let groups else { return false }
        if process.events >= 0 { return ControlGroups.isPopulated(events: process.events) }
        let events = groups.openEvents(id)
        // Only a cgroup that isn't there is known to be empty.
        guard events >= 0 else { return errno != ENOENT }
        defer { close(events) }
        return ControlGroups.isPopulated(events: events)
    }

    private func watchGroup(_ id: ProcessID) {
        guard let process = process(id), process.eventsWatch == nil, let groups else { return }
        let events = groups.openEvents(id)
        let watch = events < 0 ? nil : try? loop.watch(events, .priority) { [unowned self] _ in groupChanged(id) }
        guard let watch else {
            // Out of descriptors: some will be given back.
            if events >= 0 { close(events) }
            lookLater(id)
            return
        }
        processes[Int(id.slot)]?.events = events
        processes[Int(id.slot)]?.eventsWatch = watch
        // It may have changed before it was watched.
        if !ControlGroups.isPopulated(events: events) { processes[Int(id.slot)]?.isKnownEmpty = true }
    }

    private func groupChanged(_ id: ProcessID) {
        guard let process = process(id) else { return }
        // Reading it is also what takes the event back.
        if ControlGroups.isPopulated(events: process.events) {
            if process.isKilling { groups?.kill(id) }
            return
        }
        processes[Int(id.slot)]?.isKnownEmpty = true
        answerIfEmpty(id)
    }

    // MARK: Without proof: session and mark

    func awaitSweep(_ id: ProcessID) {
        awaitingSweep.insert(id)
    }

    func sweepAwaiting() {
        clears = 0
        guard !awaitingSweep.isEmpty else { return }
        let ids = awaitingSweep
        awaitingSweep = []
        for id in ids { look(id) }
    }

    private func sweep(_ id: ProcessID) {
        guard let process = process(id) else { return }
        guard let found = foundMembers(of: [id]) else { return lookLater(id) }
        let pids = found[id] ?? []
        if pids.isEmpty {
            processes[Int(id.slot)]?.isKnownEmpty = true
            return
        }
        for pid in pids {
            if process.isKilling { deliver(.kill, to: pid, process) }
            if process.members[pid] == nil { watchMember(pid, of: id) }
        }
    }

    private func watchMember(_ pid: Int32, of id: ProcessID) {
        let descriptor = orch_pidfd_open(pid)
        guard descriptor >= 0 else {
            lookLater(id)
            return
        }
        let watch = try? loop.watch(descriptor, .read) { [unowned self] _ in memberEnded(pid, of: id) }
        guard let watch else {
            close(descriptor)
            lookLater(id)
            return
        }
        processes[Int(id.slot)]?.members[pid] = (descriptor, watch)
    }

    private func memberEnded(_ pid: Int32, of id: ProcessID) {
        guard let member = processes[Int(id.slot)]?.members.removeValue(forKey: pid) else { return }
        loop.unwatch(member.watch)
        close(member.descriptor)
        awaitSweep(id)
    }

    private func lookLater(_ id: ProcessID) {
        _ = loop.schedule(at: loop.now + .milliseconds(10)) { [weak self] in self?.look(id) }
    }

    private func deliver(_ signal: Signal, to pid: Int32, _ process: HostedProcess) {
        _ = orch_signal_member(pid, process.mark, records.nonce, sessionLeader(process), signal.number)
    }
}
