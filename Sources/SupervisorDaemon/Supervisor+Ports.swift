import ControlAPI
import Planning
import Reconciliation
import SidecarModel
import Supervision

extension Supervisor {
    /// Gives every declared instance its ports, before anything is started: whoever refers to one finds it, in whatever
    /// order they start. What can't be had is said when the instance is started.
    func assignPorts(in plan: Plan) {
        for place in plan.sidecars.indices where !plan.sidecars[place].ports.isEmpty {
            let spec = plan.sidecars[place]
            for replica in 0..<spec.replicas {
                let name = InstanceName(sidecar: spec.name, replica: replica)
                assignPorts(of: spec, name)
            }
        }
    }

    private func assignPorts(of spec: SidecarSpec, _ name: InstanceName) {
        let before = addresses.ports(of: name)
        var assigned: [(name: String, number: UInt16)] = []
        for port in spec.ports {
            let had = before.first { $0.name == port.name }?.number
            if let had, port.allows(had) {
                assigned.append((port.name, had))
            } else if spec.kind == .external || port.isFixed {
                if case .number(let number) = port.wanted { assigned.append((port.name, number)) }
            } else {
                let sticky = had ?? remembered[name]?.first { $0.name == port.name }?.number
                let request = PortRequest(instance: name.indexed, port: port, sticky: sticky)
                guard let reservation = try? allocator.reserve(request) else { continue }
                reservations[name, default: [:]][port.name] = reservation
                assigned.append((port.name, reservation.port))
            }
        }
        guard !assigned.elementsEqual(before, by: ==) else { return }
        addresses.assign(assigned, to: name)
        journal.save(assigned, of: name)
    }

    /// Holds the instance's ports for the spawn that follows. One that a stranger took meanwhile is replaced where it
    /// may move; whoever refers to it is told.
    func claimPorts(of spec: SidecarSpec, _ name: InstanceName, _ index: InstanceIndex) throws(SpawnFailure) {
        guard !spec.ports.isEmpty else { return }
        var held = reservations[name] ?? [:]
        var assigned: [(name: String, number: UInt16)] = []
        var moves: [(port: String, from: UInt16, to: UInt16)] = []
        for port in spec.ports {
            let had = addresses.port(port.name, of: name)
            let reservation: PortReservation
            if let earlier = held[port.name], port.allows(earlier.port) {
                reservation = earlier
            } else {
                do throws(PortConflict) {
                    reservation = try allocator.reserve(
                        PortRequest(instance: name.indexed, port: port, sticky: had))
                } catch {
                    throw error.failure(for: port.name)
                }
            }
            held[port.name] = reservation
            assigned.append((port.name, reservation.port))
            if let had, had != reservation.port { moves.append((port.name, had, reservation.port)) }
        }
        reservations[name] = held
        if !assigned.elementsEqual(addresses.ports(of: name), by: ==) {
            addresses.assign(assigned, to: name)
            journal.save(assigned, of: name)
        }
        for move in moves {
            publish(
                .portChanged(instance: reports.shownName(of: index), port: move.port, from: move.from, to: move.to))
        }
        if !moves.isEmpty { engine.observe(.portMoved(index)) }
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

    /// Whether a number that was given before, perhaps under another declaration, can be kept.
    fileprivate func allows(_ number: UInt16) -> Bool {
        switch wanted {
        case .number(let wanted): wanted == number || (!strict && number > wanted && number - wanted <= 1000)
        case .range(let first, let last): (min(first, last)...max(first, last)).contains(number)
        case .automatic: true
        }
    }
}
