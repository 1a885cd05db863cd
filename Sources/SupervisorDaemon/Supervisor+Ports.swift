import ControlAPI
import Planning
import Reconciliation
import SidecarModel
import StateStore
import Supervision

extension Supervisor {
    /// Gives every declared instance its ports, before anything is started: whoever refers to one finds it, in whatever
    /// order they start. What can't be had is said when the instance is started.
    ///
    /// Answers, of each sidecar one that gets another number than whoever refers to it was told.
    /// - Parameter areRunning: all keep what they have, as when nobody knows yet who runs.
    @discardableResult
    func assignPorts(in plan: Plan, areRunning: Bool = false) -> [InstanceName] {
        let before = addresses
        var movable: [(SidecarSpec, InstanceName)] = []
        // Those that can be no other come first: a range goes round them.
        for place in plan.sidecars.indices {
            let spec = plan.sidecars[place]
            for replica in 0..<spec.replicas {
                let name = InstanceName(sidecar: spec.name, replica: replica)
                guard !spec.ports.isEmpty || !addresses.ports(of: name).isEmpty else { continue }
                if keepPorts(of: spec, name) { movable.append((spec, name)) }
            }
        }
        for (spec, name) in movable { choosePorts(of: spec, name, isRunning: areRunning || runs(name)) }
        return plan.sidecars.compactMap { spec in
            guard !spec.ports.isEmpty else { return nil }
            return (0..<spec.replicas).lazy.map { InstanceName(sidecar: spec.name, replica: $0) }
                .first { addresses.hasMoved($0, since: before) }
        }
    }

    /// Answers whether some are left to be chosen, or may have to move.
    private func keepPorts(of spec: SidecarSpec, _ name: InstanceName) -> Bool {
        let before = addresses.ports(of: name)
        let kept = spec.ports.compactMap { port -> (name: String, number: UInt16)? in
            if let had = before.first(where: { $0.name == port.name }), port.allows(had.number) { return had }
            guard spec.kind == .external || port.isFixed, case .number(let number) = port.wanted else { return nil }
            return (port.name, number)
        }
        // What is held for another number stands in the way of whoever is to have that.
        reservations[name] = reservations[name]?.filter { port, held in
            kept.contains { $0.name == port && $0.number == held.port }
        }
        assign(kept, to: name, of: spec, before: before)
        return spec.kind != .external && !spec.ports.allSatisfy(\.isFixed)
    }

    private func choosePorts(of spec: SidecarSpec, _ name: InstanceName, isRunning: Bool) {
        let before = addresses.ports(of: name)
        var assigned: [(name: String, number: UInt16)] = []
        for port in spec.ports {
            let had = before.first { $0.name == port.name }
            // One that runs has it until its next start, whoever it is promised to.
            if let had, isRunning || port.isFixed || isFree(had.number, for: port, of: name) {
                assigned.append(had)
            } else {
                let request = request(port, of: name, had: had?.number)
                guard let reservation = try? allocator.reserve(request, beside: addresses.own) else { continue }
                reservations[name, default: [:]][port.name] = reservation
                assigned.append((port.name, reservation.port))
            }
            note(assigned, over: before, of: spec, name)
        }
        assign(assigned, to: name, of: spec, before: before)
    }

    /// The instance's next port goes round those it has got by now.
    private func note(
        _ assigned: [(name: String, number: UInt16)], over before: [(name: String, number: UInt16)],
        of spec: SidecarSpec, _ name: InstanceName
    ) {
        let rest = before.filter { earlier in !assigned.contains { $0.name == earlier.name } }
        addresses.assign(assigned + rest, to: name, of: spec)
    }

    private func assign(
        _ assigned: [(name: String, number: UInt16)], to name: InstanceName, of spec: SidecarSpec,
        before: [(name: String, number: UInt16)]
    ) {
        addresses.assign(assigned, to: name, of: spec)
        if !assigned.elementsEqual(before, by: ==) { journal.save(assigned, of: name) }
    }

    private func isFree(_ number: UInt16, for port: PortSpec, of name: InstanceName) -> Bool {
        addresses.own.holder(of: number, inTheWayOf: port, of: name.indexed) == nil
    }

    private func runs(_ name: InstanceName) -> Bool {
        let index = engine.reconciler.instance(sidecar: name.sidecar, replica: name.replica)
        switch index.flatMap(engine.reconciler.stateName) {
        case .starting, .healthy, .unhealthy, .stopping: return true
        case .stopped, .waiting, .backoff, .completed, .failed, .blocked, .scheduled, nil: return false
        }
    }

    private func request(_ port: PortSpec, of name: InstanceName, had: UInt16?) -> PortRequest {
        let sticky = had ?? remembered[name]?.first { $0.name == port.name }?.number
        return PortRequest(
            instance: name.indexed, port: port,
            sticky: sticky.flatMap { isFree($0, for: port, of: name) ? $0 : nil })
    }

    /// Holds the instance's ports for the spawn that follows. One that a stranger took meanwhile is replaced where it
    /// may move; whoever refers to it is told.
    func claimPorts(of spec: SidecarSpec, _ name: InstanceName, _ index: InstanceIndex) throws(SpawnFailure) {
        guard !spec.ports.isEmpty else { return }
        var held = reservations[name] ?? [:]
        let before = addresses.ports(of: name)
        var assigned: [(name: String, number: UInt16)] = []
        var moves: [(port: String, from: UInt16, to: UInt16)] = []
        for port in spec.ports {
            let had = before.first { $0.name == port.name }?.number
            let reservation: PortReservation
            if let earlier = held[port.name], port.allows(earlier.port) {
                reservation = earlier
            } else {
                do throws(PortConflict) {
                    reservation = try allocator.reserve(request(port, of: name, had: had), beside: addresses.own)
                } catch {
                    addresses.setRefused(true, name)
                    throw error.failure(for: port, in: location.stateDirectory)
                }
            }
            held[port.name] = reservation
            assigned.append((port.name, reservation.port))
            note(assigned, over: before, of: spec, name)
            if let had, had != reservation.port { moves.append((port.name, had, reservation.port)) }
        }
        reservations[name] = held
        addresses.setRefused(false, name)
        assign(assigned, to: name, of: spec, before: before)
        for move in moves {
            publish(
                .portChanged(instance: reports.shownName(of: index), port: move.port, from: move.from, to: move.to))
        }
        guard !moves.isEmpty else { return }
        let told = moves.map { "port \($0.port) moved from \($0.from) to \($0.to)" }.joined(separator: ", ")
        engine.observe(.portMoved(index, told: told))
    }

    /// Which process outside the instance has one of its ports, as a sentence: why it ended before it was ready. Between the
    /// moment its ports are let go of for it and its own bind anybody may take them.
    func portConflict(of index: InstanceIndex, in process: ProcessID) -> String? {
        guard engine.reconciler.stateName(of: index) == .starting, let name = engine.name(of: index),
            let spec = engine.reconciler.spec(of: index)
        else { return nil }
        let given = addresses.ports(of: name)
        for port in spec.ports {
            guard let number = given.first(where: { $0.name == port.name })?.number else { continue }
            let conflict = allocator.stranger(on: number, of: port) { [host] pid in
                pid == host.keeperPID || host.owner(ofPID: pid) == process || host.members(of: process).contains(pid)
            }
            if let conflict {
                return port.isFixed
                    ? conflict.sentence(for: port, in: location.stateDirectory)
                    : "port '\(port.name)': \(conflict.message)"
            }
        }
        return nil
    }

    /// `down --release-ports`: the next `up` takes what it finds.
    func releasePorts() {
        reservations = [:]
        remembered = [:]
        allocator.releaseAll()
        journal.forgetPorts()
    }

    /// The sockets that hold the ports, for whoever has to let go of them just before the program runs.
    func takeReservations(of name: InstanceName) -> [PortReservation] {
        guard let held = reservations.removeValue(forKey: name) else { return [] }
        return Array(held.values)
    }
}

extension PortSpec {
    /// It can be no other number.
    fileprivate var isFixed: Bool { if case .number = wanted { strict } else { false } }
}
