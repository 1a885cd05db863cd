extension Reference: CustomStringConvertible {
    /// As it is written between `${` and `}`.
    package var description: String {
        switch self {
        case .port(let name): "ports.\(name)"
        case .sidecarPort(let sidecar, nil, let port): "sidecars.\(sidecar).ports.\(port)"
        case .sidecarPort(let sidecar, let replica?, let port): "sidecars.\(sidecar).\(replica).ports.\(port)"
        case .sidecarHost(let sidecar): "sidecars.\(sidecar).host"
        case .sidecarAddresses(let sidecar, let port): "sidecars.\(sidecar).addresses.\(port)"
        case .projectName: "project.name"
        case .projectDirectory: "project.dir"
        case .projectData: "project.data"
        case .sidecarName: "sidecar.name"
        case .replica: "replica"
        }
    }

    /// Reads what stands between `${` and `}`.
    package init?(parsing text: String) {
        // The most frequent one needs no splitting.
        if case let name = text.dropFirst(6), text.hasPrefix("ports."), !name.isEmpty,
            !name.utf8.contains(UInt8(ascii: "."))
        {
            self = .port(String(name))
            return
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !parts.contains("") else { return nil }
        switch (parts.first, parts.count) {
        case ("replica", 1): self = .replica
        case ("ports", 2): self = .port(parts[1])
        case ("project", 2):
            switch parts[1] {
            case "name": self = .projectName
            case "dir": self = .projectDirectory
            case "data": self = .projectData
            default: return nil
            }
        case ("sidecar", 2) where parts[1] == "name": self = .sidecarName
        case ("sidecars", 3) where parts[2] == "host": self = .sidecarHost(sidecar: parts[1])
        case ("sidecars", 4) where parts[2] == "ports":
            self = .sidecarPort(sidecar: parts[1], replica: nil, port: parts[3])
        case ("sidecars", 4) where parts[2] == "addresses":
            self = .sidecarAddresses(sidecar: parts[1], port: parts[3])
        case ("sidecars", 5) where parts[3] == "ports":
            guard let replica = Int(parts[2]), replica >= 0 else { return nil }
            self = .sidecarPort(sidecar: parts[1], replica: replica, port: parts[4])
        default: return nil
        }
    }
}
