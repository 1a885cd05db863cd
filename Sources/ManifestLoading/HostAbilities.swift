import Glibc
package import SidecarModel

/// Whether the machine knows a user or group.
package enum AccountAnswer: Hashable, Sendable {
    case known(id: UInt32)
    case absent
    /// Asking may take long, as the answer may come over a network; not done here.
    case notAsked
}

/// What the process that looks may do, and a supervisor started by it.
package struct HostAbilities: Hashable, Sendable {
    package var user: UInt32
    package var group: UInt32
    package var mayChangeIdentity: Bool
    package var mayRaiseLimits: Bool
    package var lowestNice: Int
    /// Those that are limited.
    package var hardLimits: [LimitName: UInt64]

    package init(
        user: UInt32, group: UInt32, mayChangeIdentity: Bool, mayRaiseLimits: Bool, lowestNice: Int,
        hardLimits: [LimitName: UInt64] = [:]
    ) {
        self.user = user
        self.group = group
        self.mayChangeIdentity = mayChangeIdentity
        self.mayRaiseLimits = mayRaiseLimits
        self.lowestNice = lowestNice
        self.hardLimits = hardLimits
    }

    /// Those of this process. Quick.
    package static func own() -> HostAbilities {
        let capabilities = effectiveCapabilities()
        let (setGroup, setUser, niceness, resource): (UInt64, UInt64, UInt64, UInt64) = (6, 7, 23, 24)
        func has(_ number: UInt64) -> Bool { capabilities >> number & 1 == 1 }
        var limits: [LimitName: UInt64] = [:]
        for name in LimitName.allCases {
            var limit = rlimit()
            guard getrlimit(__rlimit_resource_t(UInt32(name.number)), &limit) == 0,
                limit.rlim_max != .max
            else { continue }
            limits[name] = UInt64(limit.rlim_max)
        }
        var nice = Int(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0))
        var allowance = rlimit()
        if has(niceness) {
            nice = -20
        } else if getrlimit(__rlimit_resource_t(UInt32(LimitName.nice.number)), &allowance) == 0 {
            nice = min(nice, 20 - Int(min(allowance.rlim_cur, 40)))
        }
        return HostAbilities(
            user: geteuid(), group: getegid(), mayChangeIdentity: has(setGroup) && has(setUser),
            mayRaiseLimits: has(resource), lowestNice: nice, hardLimits: limits)
    }

    private static func effectiveCapabilities() -> UInt64 {
        guard let bytes = try? HostFiles().read("/proc/self/status", limit: 1 << 16) else {
            return geteuid() == 0 ? .max : 0
        }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("CapEff:") {
            return UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) ?? 0
        }
        return 0
    }
}

extension HostFiles {
    package func user(_ name: String) -> AccountAnswer {
        if let number = UInt32(name) { return getpwuid(number) == nil ? .absent : .known(id: number) }
        return getpwnam(name).map { .known(id: $0.pointee.pw_uid) } ?? .absent
    }

    package func group(_ name: String) -> AccountAnswer {
        if let number = UInt32(name) { return .known(id: number) }
        return getgrnam(name).map { .known(id: $0.pointee.gr_gid) } ?? .absent
    }

    package var abilities: HostAbilities? { .own() }
}
