package import SidecarModel

/// How one process of the world behaves: drawn when it is spawned, or set by a scenario.
package struct Nature: Sendable {
    package var spawnFailure: SpawnStep?
    package var spawnLatency: Duration = .microseconds(200)
    /// It ends by itself this long after it was spawned.
    package var lifetime: Duration?
    package var exit: ExitStatus = .code(0)
    /// Its probes answer with success from this age on.
    package var readyAfter: Duration = .milliseconds(20)
    /// How long after a stop signal the leader ends. Nil: it ignores signals.
    package var reaction: Duration? = .milliseconds(5)
    /// Descendants that live on when the leader is gone.
    package var children: Int = 0
    /// As `reaction`, for the descendants.
    package var childReaction: Duration? = .milliseconds(5)
    /// How long it stays after SIGKILL: a process in the kernel's hands can't be ended at once.
    package var killLatency: Duration = .milliseconds(1)
    package var hookLatency: Duration = .milliseconds(3)

    package init() {}

    init(of kind: SidecarSpec.Kind, in mix: FaultMix, drawnFrom generator: inout Generator) {
        spawnLatency = generator.duration(milliseconds: 0...2)
        readyAfter = generator.duration(milliseconds: 0...200)
        reaction = generator.duration(milliseconds: 0...50)
        childReaction = generator.duration(milliseconds: 0...50)
        hookLatency = generator.duration(milliseconds: 0...20)
        if kind == .task { lifetime = generator.duration(milliseconds: 0...1500) }
        if generator.chance(perMille: mix[.spawnError]) {
            spawnFailure = generator.pick(SpawnStep.allCases)
        }
        if generator.chance(perMille: mix[.slowSpawn]) { spawnLatency = generator.duration(milliseconds: 100...4000) }
        if generator.chance(perMille: mix[.slowProbe]) { readyAfter = generator.duration(milliseconds: 200...15_000) }
        if generator.chance(perMille: mix[.crash]) {
            lifetime =
                generator.chance(perMille: 500)
                ? generator.duration(milliseconds: 0...300) : generator.duration(milliseconds: 0...20_000)
            exit =
                generator.pick([.code(0), .code(1), .code(2), .code(3), .signal(.kill), .signal(.hangup)]) ?? .code(1)
        }
        if generator.chance(perMille: mix[.ignoredSignal]) { reaction = nil }
        if generator.chance(perMille: mix[.slowExit]) { reaction = generator.duration(milliseconds: 50...8000) }
        if generator.chance(perMille: mix[.children]) { children = 1 + generator.below(3) }
        if generator.chance(perMille: mix[.stubbornChildren]) { childReaction = nil }
        if generator.chance(perMille: mix[.slowKill]) { killLatency = generator.duration(milliseconds: 10...40_000) }
    }
}
