package import SidecarModel
import Reconciliation

/// Which inputs met which states.
package struct Coverage: Sendable {
    /// The inputs as the lifecycle tells them apart.
    package enum Kind: Int, CaseIterable, Sendable {
        case apply, start, stop, restart, run, shutdown, hurry, portMoved, tick
        case spawned, spawnFailed, preStartSucceeded, preStartFailed, preStopFinished
        case startupPassed, startupFailed, readinessPassed, readinessFailed, livenessPassed, livenessFailed
        case startExtended, exited, emptied, survived
        /// Any fact of an incarnation that is not the current one.
        case stale
    }

    package static var states: [StateName] { StateName.allCases }

    /// What a state never meets, and why.
    package static func impossible(_ state: StateName, _ kind: Kind) -> String? {
        switch kind {
        case .apply, .start, .stop, .restart, .run, .shutdown, .portMoved, .tick, .stale, .hurry:
            if state == .scheduled { return "no sidecar has a schedule yet" }
            if kind == .hurry { return hurryIsNoMatter(state) }
            return nil
        case .spawned, .spawnFailed, .preStartSucceeded, .preStartFailed, .preStopFinished, .startupPassed,
            .startupFailed, .readinessPassed, .readinessFailed, .livenessPassed, .livenessFailed, .startExtended,
            .exited, .emptied, .survived:
            return state == .scheduled ? "no sidecar has a schedule yet" : factIsNoMatter(state, kind)
        }
    }

    private static func hurryIsNoMatter(_ state: StateName) -> String? {
        switch state {
        case .stopped, .stopping, .completed, .failed: nil
        case .waiting, .starting, .healthy, .unhealthy, .backoff, .blocked, .scheduled:
            "only a shutdown is hurried, and it has told everybody to stop"
        }
    }

    private static func factIsNoMatter(_ state: StateName, _ kind: Kind) -> String? {
        switch (state, kind) {
        case (.starting, .preStopFinished), (.healthy, .preStopFinished), (.unhealthy, .preStopFinished):
            "pre_stop runs when the life is being stopped"
        case (.starting, .emptied), (.healthy, .emptied), (.unhealthy, .emptied), (.starting, .survived),
            (.healthy, .survived), (.unhealthy, .survived):
            "it answers what is done when a life is being stopped"
        case (.healthy, .spawnFailed), (.unhealthy, .spawnFailed), (.completed, .spawnFailed):
            "the spawn of this life has succeeded"
        case (.healthy, .preStartFailed), (.unhealthy, .preStartFailed), (.completed, .preStartFailed):
            "the pre_start hook of this life has succeeded"
        case (.completed, .preStopFinished): "a life that was told to stop does not complete"
        default: nil
        }
    }

    /// The pairs that were not met, and are not listed as impossible.
    package var holes: [(StateName, Kind)] {
        StateName.allCases.flatMap { state in
            Kind.allCases.filter { self[state, $0] == 0 && Self.impossible(state, $0) == nil }.map { (state, $0) }
        }
    }

    /// The pairs listed as impossible that were met.
    package var surprises: [(StateName, Kind)] {
        StateName.allCases.flatMap { state in
            Kind.allCases.filter { self[state, $0] > 0 && Self.impossible(state, $0) != nil }.map { (state, $0) }
        }
    }

    private var counts = [Int](repeating: 0, count: StateName.allCases.count * Kind.allCases.count)

    package init() {}

    package subscript(state: StateName, kind: Kind) -> Int {
        get { counts[Self.place(state) * Kind.allCases.count + kind.rawValue] }
        set { counts[Self.place(state) * Kind.allCases.count + kind.rawValue] = newValue }
    }

    private static func place(_ state: StateName) -> Int { StateName.allCases.firstIndex(of: state) ?? 0 }

    package mutating func add(_ other: Coverage) {
        for place in counts.indices { counts[place] += other.counts[place] }
    }

    /// A fact meets the state of its own instance; a request, a tick and the like meet the states of all.
    mutating func note(_ input: Input, to slot: Int?, in slots: [Slot], isCurrent: Bool) {
        let kind = isCurrent ? Kind(input) : .stale
        if let slot {
            self[slots[slot].state, kind] += 1
            return
        }
        for slot in slots where slot.index != nil { self[slot.state, kind] += 1 }
    }
}

extension Coverage.Kind {
    init(_ input: Input) {
        switch input {
        case .apply: self = .apply
        case .start: self = .start
        case .stop: self = .stop
        case .restart: self = .restart
        case .run: self = .run
        case .shutdown: self = .shutdown
        case .hurry: self = .hurry
        case .portMoved: self = .portMoved
        case .tick: self = .tick
        case .spawned: self = .spawned
        case .spawnFailed: self = .spawnFailed
        case .hookFinished(_, _, let event, let failure):
            self = event == .preStop ? .preStopFinished : failure == nil ? .preStartSucceeded : .preStartFailed
        case .probed(_, _, let role, let outcome):
            let passed = outcome == .success || outcome == .unverified
            switch role {
            case .startup: self = passed ? .startupPassed : .startupFailed
            case .readiness: self = passed ? .readinessPassed : .readinessFailed
            case .liveness: self = passed ? .livenessPassed : .livenessFailed
            }
        case .startExtended: self = .startExtended
        case .exited: self = .exited
        case .emptied: self = .emptied
        case .survived: self = .survived
        }
    }
}
