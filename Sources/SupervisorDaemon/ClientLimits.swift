import ManifestLoading
import SidecarModel

/// The resource limits of the client whose environment the project has: what sidecars inherit, whatever the supervisor's
/// own are by now.
struct ClientLimits {
    /// As they were said, each with both sides.
    private(set) var all: [LimitSpec] = []
    /// Those a process that is started does not get by itself, as far as they may be given.
    private(set) var differing: [LimitSpec] = []
    /// Those of them that may not be given as they were said.
    private(set) var lowered: [LimitSpec] = []

    init() {}

    /// - Parameter own: what a process that is started gets by itself.
    init(
        _ limits: [LimitSpec], own: [LimitSpec], mayRaise: @autoclosure () -> Bool = HostAbilities.own().mayRaiseLimits
    ) {
        all = limits
        let own = Dictionary(own.map { ($0.name, $0) }) { first, _ in first }
        for limit in limits {
            guard let mine = own[limit.name], limit != mine else { continue }
            var given = limit
            if let wanted = limit.hard, let most = mine.hard, wanted > most, !mayRaise() {
                given.hard = most
                given.soft = limit.soft.map { min($0, most) }
                lowered.append(given)
            }
            if given != mine { differing.append(given) }
        }
    }
}
