import Glibc
package import SidecarModel

/// Why a port can't be had.
package enum PortConflict: Error, Hashable, Sendable {
    /// Someone holds it; nil when who it is can't be read.
    case taken(address: String, port: UInt16, owner: SocketOwner?)
    /// Nobody listens, but connections of a server that did not ask for SO_REUSEADDR are still closing.
    case closing(address: String, port: UInt16)
    /// Another instance of this project has it, which is to move or end, and has not yet.
    case sibling(port: UInt16, instance: String)
    /// Another project of this user has it, and runs.
    case leased(port: UInt16, holder: PortLease)
    /// Nothing free between the two; the sentence says who holds the first.
    case full(first: UInt16, last: UInt16, example: String)
    /// Fewer are free between the two than replicas need one.
    case tooFew(free: Int, needed: Int, first: UInt16, last: UInt16, example: String)
    /// The kernel refuses for another reason: no permission below 1024, no such address.
    case refused(address: String, port: UInt16, SystemError)
    /// The registry of this user's ports can't be used.
    case registry(SystemError)
    /// Not a numeric address.
    case address(String)

    package var message: String {
        switch self {
        case .taken(let address, let port, let owner):
            "port \(port) on \(address) is in use by \(owner?.description ?? "a process that can't be read")"
        case .closing(let address, let port):
            "port \(port) on \(address) is held by connections that are still closing; they end within a minute"
        case .sibling(let port, let instance):
            "port \(port) is still that of \(instance), until that ends or is restarted"
        case .leased(let port, let holder):
            "port \(port) belongs to \(holder.instance) of the running project "
                + (holder.projectIdentity ?? "in \(holder.stateDirectory)")
        case .full(let first, let last, let example):
            "no port is free from \(first) to \(last): \(example)"
        case .tooFew(let free, let needed, let first, let last, let example):
            "only \(free) \(free == 1 ? "port is" : "ports are") free from \(first) to \(last), and each of \(needed) "
                + "replicas needs one: \(example)"
        case .refused(let address, let port, let error):
            "cannot bind port \(port) on \(address): \(error.message)"
        case .registry(let error):
            "cannot use the registry of ports: \(error)"
        case .address(let text):
            "'\(text)' is not a numeric address"
        }
    }

    /// What to do about it; nil where nothing general can be said.
    /// - Parameters:
    ///   - port: that can't be had.
    ///   - root: of the state of whoever asks: projects of another one have to be looked for there.
    package func remedy(for port: PortSpec, askedFrom root: String) -> String? {
        switch self {
        case .taken(_, let number, _): return "end it, or \(Self.moving(port, from: number))"
        case .leased(let number, let holder):
            let command = holder.commandThatEnds(askedFrom: root).map { " (\($0))" } ?? ""
            return "end it\(command), or \(Self.moving(port, from: number))"
        case .full, .tooFew: return "widen the range, or write auto"
        case .refused(_, _, let reason) where reason.errno == EACCES:
            return "take one from 1024 on, or let this program bind it (CAP_NET_BIND_SERVICE)"
        case .refused(_, _, let reason) where reason.errno == EADDRNOTAVAIL:
            return "bind an address of this machine, or 0.0.0.0 for all of them"
        case .closing, .sibling, .address, .refused, .registry: return nil
        }
    }

    /// - Parameter stateDirectory: of the project that asks.
    package func failure(for port: PortSpec, in stateDirectory: String) -> SpawnFailure {
        var number: Int32 = 0
        if case .refused(_, _, let error) = self { number = error.errno }
        if case .registry(let error) = self { number = error.errno }
        return SpawnFailure(step: .port, message: sentence(for: port, in: stateDirectory), errno: number)
    }

    /// With the way out.
    package func sentence(for port: PortSpec, in stateDirectory: String) -> String {
        let remedy = remedy(for: port, askedFrom: ControlGroups.parent(of: stateDirectory))
        return "port '\(port.name)': \(message)" + (remedy.map { "; \($0)" } ?? "")
    }

    private static func moving(_ port: PortSpec, from number: UInt16) -> String {
        if case .number = port.wanted { return "let the port move: \(number)-\(min(65_535, Int(number) + 50))" }
        // It keeps the one it got; a wider range would be no help.
        return "let the port move: strict: false (or give it back: orchestrate down --release-ports)"
    }
}

extension PortLease {
    /// What people know the holder's project by, which it keeps for them in its state directory.
    fileprivate var projectIdentity: String? {
        // The name of a directory may have line breaks in it.
        ProcFile.text(stateDirectory + "/name").map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 }
            .flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Nil: nobody can say what the project is called.
    fileprivate func commandThatEnds(askedFrom other: String) -> String? {
        guard let projectIdentity else { return nil }
        let root = ControlGroups.parent(of: stateDirectory)
        let place = root == other ? "" : "ORCHESTRATE_STATE_DIR=\(root.shellQuoted) "
        return "\(place)orchestrate down --project \(projectIdentity.shellQuoted)"
    }
}
