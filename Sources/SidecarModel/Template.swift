/// A text of the manifest after `${VAR}` was replaced, in which references to what is known only at run time
/// (ports, addresses, the replica) still stand.
package struct Template: Hashable, Codable, Sendable {
    package enum Segment: Hashable, Codable, Sendable {
        case literal(String)
        case reference(Reference)
    }

    package var segments: [Segment]

    package init(segments: [Segment]) { self.segments = segments }

    package init(_ literal: String) { segments = literal.isEmpty ? [] : [.literal(literal)] }

    package var references: [Reference] {
        segments.compactMap { if case .reference(let reference) = $0 { reference } else { nil } }
    }

    /// The text when no reference stands in it, else nil.
    package var literal: String? {
        switch segments.count {
        case 0: return ""
        case 1: if case .literal(let text) = segments[0] { return text } else { return nil }
        default: return nil
        }
    }

    /// The text with every reference replaced by what `value` knows of it.
    package func rendered<Failure: Error>(
        _ value: (Reference) throws(Failure) -> String
    ) throws(Failure) -> String {
        if let literal { return literal }
        var text = ""
        for segment in segments {
            switch segment {
            case .literal(let part): text += part
            case .reference(let reference): text += try value(reference)
            }
        }
        return text
    }
}

/// What `${…}` with a dot in it can name. The spelling in the manifest stands beside each case.
package enum Reference: Hashable, Codable, Sendable {
    /// `${ports.http}`: a port of this instance.
    case port(String)
    /// `${sidecars.db.ports.sql}`, or `${sidecars.api.0.ports.http}` for one replica.
    case sidecarPort(sidecar: String, replica: Int?, port: String)
    /// `${sidecars.db.host}`: the address its ports are bound to.
    case sidecarHost(sidecar: String)
    /// `${sidecars.api.addresses.http}`: host:port of all replicas, comma-separated.
    case sidecarAddresses(sidecar: String, port: String)
    /// `${project.name}`
    case projectName
    /// `${project.dir}`: the directory of the manifest.
    case projectDirectory
    /// `${project.data}`: a writable directory that is kept.
    case projectData
    /// `${sidecar.name}`
    case sidecarName
    /// `${replica}`: the index of this instance, from 0.
    case replica
}
