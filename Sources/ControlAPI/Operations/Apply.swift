package import FoundationEssentials
package import SidecarModel

/// Hands over a manifest, and drives towards it. Answered once the core has taken it up; `invalidManifest` otherwise,
/// and then nothing was touched.
package enum Apply: ControlOperation {
    package static let method = "apply"

    package struct Parameters: Hashable, Codable, Sendable {
        /// Absolute.
        package var manifest: String
        /// The client's.
        package var workingDirectory: String
        /// The client's. Kept by the first `apply`, and replaced only when `refreshesEnvironment`.
        package var environment: [String: String]
        package var umask: UInt32
        /// The client's, each with both sides. Nil: a client that names none; those there are stay.
        package var limits: [LimitSpec]?
        /// Empty: all. Otherwise these and what they depend on are started, and only they are edited.
        package var names: [String]
        package var refreshesEnvironment: Bool
        package var attachment: Attachment
        /// The values of the manifest's secrets but for those that are generated, by name, as the client read them.
        package var secrets: [String: Data]?
        /// A sidecar the client is going to wait for: refused with the names where the manifest declares none such.
        package var awaited: String?

        enum CodingKeys: String, CodingKey {
            case manifest, environment, umask, limits, names, attachment, secrets, awaited
            case workingDirectory = "working_directory"
            case refreshesEnvironment = "refresh_environment"
        }

        package init(
            manifest: String, workingDirectory: String, environment: [String: String], umask: UInt32,
            limits: [LimitSpec]? = nil, names: [String], refreshesEnvironment: Bool, attachment: Attachment,
            secrets: [String: Data]? = nil, awaited: String? = nil
        ) {
            self.manifest = manifest
            self.workingDirectory = workingDirectory
            self.environment = environment
            self.umask = umask
            self.limits = limits
            self.names = names
            self.refreshesEnvironment = refreshesEnvironment
            self.attachment = attachment
            self.secrets = secrets
            self.awaited = awaited
        }
    }

    /// How the project's life hangs on the client's.
    package enum Attachment: Hashable, Codable, Sendable {
        /// `up -d`: not at all. A lease there is, is turned into none.
        case detached
        /// Foreground `up`: takes the lease if the project is new or nobody holds one and it was not detached before.
        case foreground(token: String, client: ClientIdentity)
        /// Asked for by name: ends with this process, which need not be the client. Takes the lease unless another
        /// process that lives holds it.
        case bound(token: String, owner: ClientIdentity, otherwise: Otherwise)
        /// Leaves it as it is.
        case unchanged
    }

    /// What becomes of the request when the project hangs on another process already.
    package enum Otherwise: String, Hashable, Codable, Sendable, CaseIterable {
        /// Carried out; the lease stays where it is.
        case attach
        /// Conflict, and nothing is touched.
        case refuse
    }

    package struct Answer: Hashable, Codable, Sendable {
        package var summary: ApplySummary
        package var isLeaseHolder: Bool
        /// Warnings; errors come as `ControlError.diagnostics`.
        package var diagnostics: [Diagnostic]
        /// Limits of the client that sidecars can't be given, as the supervisor may not raise its own. Each with what they
        /// get. Nil: none.
        package var loweredLimits: [LimitSpec]?
        /// Why what was applied is known to this supervisor alone, and to none after it. Nil: it is stored.
        package var unstored: String?
        /// What the first `apply` of a project made: whoever subscribed before it needs no snapshot. Empty later.
        package var created: [Created]
        /// What the project is called now. Nil: an older supervisor answered.
        package var project: String?

        enum CodingKeys: String, CodingKey {
            case summary, diagnostics, unstored, created, project
            case isLeaseHolder = "lease_holder"
            case loweredLimits = "lowered_limits"
        }

        package init(
            summary: ApplySummary, isLeaseHolder: Bool, diagnostics: [Diagnostic] = [],
            loweredLimits: [LimitSpec]? = nil, unstored: String? = nil, created: [Created] = [],
            project: String? = nil
        ) {
            self.summary = summary
            self.isLeaseHolder = isLeaseHolder
            self.diagnostics = diagnostics
            self.loweredLimits = loweredLimits
            self.unstored = unstored
            self.created = created
            self.project = project
        }
    }

    /// An instance, before anything happened to it.
    package struct Created: Hashable, Codable, Sendable {
        package var name: String
        package var sidecar: String
        package var kind: SidecarSpec.Kind
        /// Nil: it is not, or an older supervisor answered.
        package var isPrimary: Bool?

        enum CodingKeys: String, CodingKey { case name, sidecar, kind, isPrimary = "primary" }

        package init(name: String, sidecar: String, kind: SidecarSpec.Kind, isPrimary: Bool? = nil) {
            self.name = name
            self.sidecar = sidecar
            self.kind = kind
            self.isPrimary = isPrimary
        }
    }
}

/// What a manifest changes, by sidecar. Those that stay as they are are counted only.
package struct ApplySummary: Hashable, Codable, Sendable {
    package struct Change: Hashable, Codable, Sendable {
        package enum Action: String, Hashable, Codable, Sendable, CaseIterable {
            case create, restart, update, scale, remove
        }

        package var sidecar: String
        package var action: Action
        /// The manifest keys that differ.
        package var keys: [String]

        package init(sidecar: String, action: Action, keys: [String] = []) {
            self.sidecar = sidecar
            self.action = action
            self.keys = keys
        }
    }

    package var changes: [Change]
    /// Sidecars that did not run and now are to, declared as they were or changed in place.
    package var started: [String]
    /// How many are left as they are.
    package var unchanged: Int
    /// Sidecars this `apply` wants up, dependencies included, in manifest order.
    package var wanted: [String]

    package init(changes: [Change], started: [String] = [], unchanged: Int, wanted: [String]) {
        self.changes = changes
        self.started = started
        self.unchanged = unchanged
        self.wanted = wanted
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        changes = try container.decode([Change].self, forKey: .changes)
        // A supervisor of an earlier version does not tell them apart.
        started = try container.decodeIfPresent([String].self, forKey: .started) ?? []
        unchanged = try container.decode(Int.self, forKey: .unchanged)
        wanted = try container.decode([String].self, forKey: .wanted)
    }
}
