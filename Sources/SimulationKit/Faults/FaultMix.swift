/// A way in which the world misbehaves.
package enum Fault: Int, CaseIterable, Sendable {
    case crash, spawnError, slowSpawn
    case slowProbe, failingProbe, foreignProbe, probeTimeout, unreadableOwner
    case ignoredSignal, slowExit, children, stubbornChildren, slowKill
    case hookFailure, hookTimeout
    case duplicateFact, lateAnswer, lateTimer
    case portMove, startExtension
    case supervisorCrash, crashBetweenEffects, crashBeforeRecords, keeperLoss
    /// The machine slept: much time passes at once.
    case clockJump
    case manifestEdit, operatorRequest, shutdown
}

/// How often each fault strikes, in thousandths of the occasions it has.
package struct FaultMix: Sendable {
    private var rates: [Int]

    /// A world in which nothing goes wrong.
    package static let none = FaultMix(rates: [Int](repeating: 0, count: Fault.allCases.count))

    private init(rates: [Int]) { self.rates = rates }

    /// Some faults off, some rare, some wild: a mix in which everything goes wrong at once hides what a single one does.
    package init(drawnFrom generator: inout Generator, without disabled: Set<Fault> = []) {
        rates = Fault.allCases.map { fault in
            let rate = [0, 0, 5, 30, 120, 400][generator.below(6)]
            if disabled.contains(fault) { return 0 }
            switch fault {
            // Struck at every turn, these would leave no time for anything else to happen.
            case .supervisorCrash, .shutdown, .clockJump: return rate / 40
            case .crashBetweenEffects, .crashBeforeRecords: return rate / 20
            case .lateTimer, .portMove, .startExtension: return rate / 2
            // Nobody leaves a project alone for ever.
            case .operatorRequest: return max(rate, 30)
            default: return rate
            }
        }
    }

    package subscript(fault: Fault) -> Int {
        get { rates[fault.rawValue] }
        set { rates[fault.rawValue] = newValue }
    }

    /// The faults that can strike.
    package var active: [Fault] { Fault.allCases.filter { rates[$0.rawValue] > 0 } }
}
