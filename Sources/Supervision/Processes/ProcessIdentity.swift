import CProcess
import Glibc
package import SidecarModel

/// Whom a process is to run as and with what limits, by name: looked up when it is started.
package struct ProcessIdentity: Hashable, Sendable {
    package var user: String?
    package var group: String?
    package var nice: Int32?
    package var gainsNoPrivileges: Bool
    package var limits: [LimitSpec]
    /// Where what it is given by itself is not the supervisor's: each with both sides.
    package var inheritedLimits: [LimitSpec]
    /// Variables that the user's account fills in, as nobody else said what they hold.
    package var accountVariables: [AccountVariable]

    package enum AccountVariable: String, Hashable, Sendable, CaseIterable {
        case home = "HOME", user = "USER", loginName = "LOGNAME", shell = "SHELL"
    }

    package init(
        _ privileges: PrivilegeSpec = PrivilegeSpec(), inheritedLimits: [LimitSpec] = [],
        accountVariables: [AccountVariable] = []
    ) {
        user = privileges.user
        group = privileges.group
        nice = privileges.nice.map(Int32.init)
        gainsNoPrivileges = privileges.gainsNoPrivileges
        limits = privileges.limits
        self.inheritedLimits = inheritedLimits
        self.accountVariables = accountVariables
    }

    /// Nothing differs from the supervisor's own.
    package var isOwn: Bool {
        user == nil && group == nil && nice == nil && !gainsNoPrivileges && limits.isEmpty
            && inheritedLimits.isEmpty
    }

    /// Looks everything up. May take long.
    func resolved(descriptorLimit: UInt64) throws(SpawnFailure) -> ResolvedIdentity? {
        if isOwn { return nil }
        var resolved = ResolvedIdentity(identity: self)
        try resolveAccount(into: &resolved)
        let own = inheritedLimits.filter { inherited in !limits.contains { $0.name == inherited.name } }
        for limit in own + limits { resolved.limits.append(try current(limit, descriptorLimit)) }
        return resolved
    }

    /// Whom a process of this one's own is to become, looked up as for a start: for `exec`, which takes it on itself. Nil
    /// fields stay as they are.
    package struct Taken: Sendable {
        package var user: UInt32?
        package var group: UInt32?
        package var groups: [UInt32]?
        /// What the account fills in, by variable.
        package var variables: [(name: String, value: String)]
    }

    package func taken() throws(SpawnFailure) -> Taken {
        var resolved = ResolvedIdentity(identity: self)
        try resolveAccount(into: &resolved)
        return Taken(
            user: resolved.user, group: resolved.group, groups: resolved.groups, variables: resolved.variables)
    }

    private func resolveAccount(into resolved: inout ResolvedIdentity) throws(SpawnFailure) {
        do throws(SystemError) {
            let account = try user.map { name throws(SystemError) in try Account.find(name) } ?? nil
            let wanted = try group.map { name throws(SystemError) in try Account.findGroup(name) } ?? nil
            if let group, wanted == nil { throw SystemError(call: "find the group '\(group)'", errno: ENOENT) }
            if let user, account == nil, UInt32(user) == nil || wanted == nil {
                throw SystemError(call: "find the user '\(user)'", errno: ENOENT)
            }
            resolved.take(
                user: account?.user ?? user.flatMap { UInt32($0) }, group: wanted ?? account?.group, of: account)
        } catch {
            throw SpawnFailure(
                step: .identity,
                message: error.errno == ENOENT
                    ? "cannot \(error.call): there is none on this machine" : "cannot \(error)",
                errno: error.errno)
        }
        guard let user else { return }
        for variable in accountVariables {
            guard let value = resolved.account.map(variable.value) ?? variable.value(ofUnknown: user) else { continue }
            resolved.variables.append((variable.rawValue, value))
        }
    }

    /// A side that was left open stays as it is inherited, as far as the other allows.
    private func current(_ limit: LimitSpec, _ descriptorLimit: UInt64) throws(SpawnFailure) -> orch_limit {
        var pair = orch_limit(number: limit.name.number, soft: 0, hard: 0)
        let failure = orch_limit_look(&pair)
        guard failure == 0 else {
            throw SpawnFailure(
                step: .limits,
                message: "cannot read the limit '\(limit.name.rawValue)': \(SystemError.message(for: -failure))",
                errno: -failure)
        }
        if limit.name == .openFiles, descriptorLimit > 0 { pair.soft = descriptorLimit }
        if let inherited = inheritedLimits.first(where: { $0.name == limit.name }) {
            pair.soft = inherited.soft ?? pair.soft
            pair.hard = inherited.hard ?? pair.hard
        }
        pair.hard = limit.hard ?? max(pair.hard, limit.soft ?? 0)
        pair.soft = min(limit.soft ?? pair.soft, pair.hard)
        return pair
    }
}

extension ProcessIdentity.AccountVariable {
    package func value(of account: Account) -> String {
        switch self {
        case .home: account.home
        case .user, .loginName: account.name
        case .shell: account.shell.isEmpty ? "/bin/sh" : account.shell
        }
    }

    /// A number without an account has no home.
    fileprivate func value(ofUnknown user: String) -> String? {
        switch self {
        case .home: "/"
        case .user, .loginName: user
        case .shell: "/bin/sh"
        }
    }
}

/// An identity in the kernel's terms. Nil fields stay the supervisor's.
struct ResolvedIdentity {
    private let identity: ProcessIdentity
    private(set) var account: Account?
    private(set) var user: UInt32?
    private(set) var group: UInt32?
    private(set) var groups: [UInt32]?
    var limits: [orch_limit] = []
    /// HOME and the like.
    var variables: [(name: String, value: String)] = []

    init(identity: ProcessIdentity) { self.identity = identity }

    /// The ids its files are to have.
    var owner: (user: UInt32, group: UInt32) { (user ?? geteuid(), group ?? getegid()) }

    mutating func take(user: UInt32?, group: UInt32?, of account: Account?) {
        self.account = account
        let changesUser = user.map { $0 != geteuid() } ?? false
        let changesGroup = group.map { $0 != getegid() } ?? false
        // Who asks for what it is needs no privilege for it.
        guard changesUser || changesGroup else { return }
        self.user = user
        self.group = group
        if user != nil, let group { groups = account?.groups(with: group) ?? [group] }
    }

    func withRaw<Answer>(_ body: (UnsafePointer<orch_identity>) -> Answer) -> Answer {
        let groups = groups ?? []
        return groups.withUnsafeBufferPointer { list in
            limits.withUnsafeBufferPointer { limits in
                var raw = orch_identity(
                    has_groups: self.groups == nil ? 0 : 1, has_group: group == nil ? 0 : 1,
                    has_user: user == nil ? 0 : 1, has_nice: identity.nice == nil ? 0 : 1,
                    gains_no_privileges: identity.gainsNoPrivileges ? 1 : 0, groups: list.baseAddress,
                    group_count: list.count, group: group ?? 0, user: user ?? 0,
                    nice: identity.nice ?? 0, limits: limits.baseAddress, limit_count: limits.count)
                return body(&raw)
            }
        }
    }

    /// The FIFOs it writes to become its user's, so that it may open them again: /dev/stderr.
    func own(_ descriptors: [Int32]) throws(SpawnFailure) {
        guard user != nil || group != nil else { return }
        for descriptor in Set(descriptors) where descriptor > 2 {
            var facts = stat()
            guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFIFO,
                facts.st_uid != owner.user || facts.st_gid != owner.group
            else { continue }
            guard fchown(descriptor, owner.user, owner.group) == 0 else {
                let number = errno
                throw SpawnFailure(
                    step: .log,
                    message: "cannot give its log to uid \(owner.user): \(SystemError.message(for: number))",
                    errno: number)
            }
        }
    }

    /// The sentence for what the child said.
    func failure(_ result: orch_spawn_result) -> SpawnFailure? {
        let reason = SystemError.message(for: result.error)
        let part = Int(result.part)
        let text: String
        switch part {
        case _ where result.step == ORCH_STEP_LIMITS && part >= ORCH_PART_LIMIT:
            text = limitText(Int32(part - ORCH_PART_LIMIT))
        case ORCH_PART_NICE where result.step == ORCH_STEP_LIMITS:
            text = "cannot set the niceness \(identity.nice ?? 0)"
        case ORCH_PART_GROUPS where result.step == ORCH_STEP_IDENTITY:
            text = "cannot take the groups of \(whom)"
        case ORCH_PART_GROUP where result.step == ORCH_STEP_IDENTITY:
            text = "cannot change to the group \(identity.group.map { "'\($0)'" } ?? "of \(whom)")"
        case ORCH_PART_USER where result.step == ORCH_STEP_IDENTITY: text = "cannot change to \(whom)"
        case ORCH_PART_NO_NEW_PRIVILEGES where result.step == ORCH_STEP_IDENTITY:
            text = "cannot give up new privileges"
        default: return nil
        }
        let isRefused = result.error == EPERM || result.error == EACCES
        return SpawnFailure(
            step: result.step == ORCH_STEP_LIMITS ? .limits : .identity,
            message: "\(text): \(reason)"
                + (isRefused ? " (the supervisor runs as uid \(geteuid()), which may not do that)" : ""),
            errno: result.error)
    }

    private var whom: String {
        guard let user = identity.user else { return "the group" }
        return self.user.map { "the user '\(user)' (uid \($0))" } ?? "the user '\(user)'"
    }

    private func limitText(_ number: Int32) -> String {
        guard let limit = limits.first(where: { $0.number == number }),
            let name = LimitName.allCases.first(where: { $0.number == number })
        else { return "cannot set the limits" }
        let pair = LimitSpec(name, soft: limit.soft, hard: limit.hard)
        return "cannot set the limit '\(name.rawValue)' to \(pair.shown)"
    }
}
