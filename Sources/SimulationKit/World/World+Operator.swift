import Planning
import SidecarModel
import Reconciliation

/// People: they start, stop, edit and give up at any moment.
extension World {
    /// Brings the project up and lets people act from then on.
    package mutating func begin() throws(InvariantBroken) {
        try request(.apply(plan, selection: nil))
        heap.schedule(.operatorActs, at: now + generator.duration(milliseconds: 10...2000))
    }

    mutating func operatorActs() throws(InvariantBroken) {
        guard !isCalm, !isLeftAlone else { return }
        heap.schedule(.operatorActs, at: now + generator.duration(milliseconds: 10...4000))
        guard supervisor == .running else { return }
        if finished != nil { return try beginAgain() }
        if generator.chance(perMille: mix[.duplicateFact]) {
            for _ in 0..<8 { try echo() }
        }
        guard supervisor == .running, finished == nil else { return }
        if isShuttingDown {
            return try meddleWithShutdown()
        }
        if generator.chance(perMille: mix[.keeperLoss] / 4) { loseStatuses() }
        if generator.chance(perMille: mix[.shutdown]) {
            return try request(.shutdown(by: generator.chance(perMille: 500) ? .user : .lease))
        }
        if generator.chance(perMille: mix[.manifestEdit]), var edited = draft {
            edited.edit(drawnFrom: &generator)
            draft = edited
            return try request(.apply(edited.plan, selection: nil))
        }
        guard generator.chance(perMille: mix[.operatorRequest]), let input = drawRequest() else { return }
        try request(input)
    }

    /// Once more Ctrl-C, a change of mind, or something that has to wait.
    private mutating func meddleWithShutdown() throws(InvariantBroken) {
        if generator.chance(perMille: 200) {
            return try request(.hurry(generator.chance(perMille: 500) ? .noGrace : .killNow))
        }
        guard generator.chance(perMille: mix[.operatorRequest] / 2), let input = drawRequest() else { return }
        try request(input)
    }

    private mutating func drawRequest() -> Input? {
        var names = plan.sidecars.map(\.name).filter { _ in generator.chance(perMille: 400) }
        if names.isEmpty, let name = generator.pick(plan.sidecars)?.name { names = [name] }
        guard !names.isEmpty else { return nil }
        let kind = generator.below(6)
        // An apply selects sidecars; all else may name single instances.
        if kind < 4, generator.chance(perMille: 200) { names = names.map { "\($0)/\(generator.below(2))" } }
        switch kind {
        case 0: return .start(names, by: .user)
        case 1: return .stop(names, scope: .only, by: .user)
        case 2: return .stop(names, scope: .cascade, by: .user)
        case 3: return .restart(names, by: .user)
        case 4: return .apply(plan, selection: generator.chance(perMille: 500) ? names : nil)
        default:
            guard let task = generator.pick(plan.sidecars.filter { $0.kind == .task }) else { return nil }
            return .run(task.name)
        }
    }

    /// People change everything and go away: what fails meanwhile is mended by nobody, but comes back by itself.
    package mutating func changeAll() throws(InvariantBroken) {
        guard supervisor == .running, finished == nil, !isShuttingDown, var edited = draft else { return }
        isLeftAlone = true
        edited.editAll()
        draft = edited
        try request(.apply(edited.plan, selection: nil))
    }

    /// Ends all faults, and lets what was slow or stubborn be quick.
    package mutating func calmDown() throws(InvariantBroken) {
        isCalm = true
        mix = .none
        for slot in slots {
            for life in slot.unreleased {
                lives[life].nature.readyAfter = .zero
                lives[life].nature.killLatency = .milliseconds(1)
                if lives[life].nature.reaction == nil { lives[life].nature.reaction = .milliseconds(5) }
                if lives[life].nature.childReaction == nil { lives[life].nature.childReaction = .milliseconds(5) }
            }
        }
        try supervisorReturns()
        if finished != nil { try beginAgain() }
    }
}
