import SidecarModel
import StateStore

/// Which instance of a sidecar that has several is meant by its name alone, where one of them is to be told of: the one
/// that is worst off, and of these the one that something happened to last.
struct TroubledInstance {
    var replica: Int
    /// The others that are there, with their states.
    var others: [(replica: Int, state: StateName)]

    /// - Parameters:
    ///   - known: what the journal says of all instances.
    /// Nil: nothing is known of any.
    init?(of sidecar: String, among known: [InstanceRow]) {
        let own = known.filter { $0.sidecar == sidecar }
        // Those that were removed are told of only where nothing else is left.
        let present = own.contains(where: \.isWanted) ? own.filter(\.isPresent) : own
        let worst = present.max { left, right in
            let (a, b) = (left.state.trouble, right.state.trouble)
            return a == b ? left.sinceWall < right.sinceWall : a < b
        }
        guard let worst else { return nil }
        replica = worst.replica
        others = present.filter { $0.replica != worst.replica }.sorted { $0.replica < $1.replica }
            .map { ($0.replica, $0.state) }
    }
}

extension InstanceRow {
    fileprivate var isPresent: Bool { isWanted || state != .stopped }
}

extension StateName {
    /// How much somebody is to hear of it.
    fileprivate var trouble: Int {
        switch self {
        case .failed: 8
        case .backoff: 7
        case .blocked: 6
        case .unhealthy: 5
        case .stopping: 4
        case .starting: 3
        case .waiting, .scheduled: 2
        case .stopped: 1
        case .completed, .healthy: 0
        }
    }
}
