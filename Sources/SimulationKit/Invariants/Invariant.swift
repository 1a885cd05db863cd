/// What must hold after every step, whatever the world does.
package enum Invariant: String, CaseIterable, Sendable {
    case oneLife = "an instance has at most one living life"
    case freshIncarnation = "an incarnation is never used twice"
    case edgesHold = "nothing is spawned before what it depends on holds"
    case newAfterOld = "what never ran starts after what was removed has ended"
    case hookFirst = "nothing is spawned before its pre_start hook succeeded"
    case stopBeatsRestart = "nothing is spawned after a stop, until a start is asked for"
    case policyKept = "nothing starts again against its restart policy"
    case delayKept = "nothing starts again before its delay is over"
    case budgetKept = "nothing starts again more often than its budget allows"
    case successKept = "a task that succeeded does not run again by itself"
    case parallelKept = "no more are starting than start.max_parallel allows"
    case ownProcess = "only processes of this project are signalled"
    case graceKept = "no SIGKILL before the grace is over"
    case dependentsFirst = "what stops together stops after its dependents are gone"
    case endBounded = "what outlives its grace is killed"
    case startBounded = "nothing is starting for longer than its start.timeout"
    case runBounded = "no task runs longer than its timeout"
    case stopHasReason = "nothing that is well is ended unless somebody asks for it"
    case groundForSuccessor = "nothing is replaced before what it depends on holds"
    case oneAtATime = "the instances of a sidecar are replaced one at a time"
    case clearAfterExit = "what a leader left behind is cleared after the leader's exit"
    case probeAlive = "only running incarnations are probed, one run of a probe at a time"
    case probePaced = "a probe pauses between two runs, its period once it succeeded"
    case healthFollowsProbes = "healthy is what its probes say is healthy"
    case releaseEmpty = "an incarnation is released once, when it is empty"
    case retireEmpty = "an instance is retired when it is empty and no longer declared"
    case finishEmpty = "the project is finished when all is asked down and nothing lives"
    case legalTransition = "states follow each other as the model says"
    case idempotent = "a second reconcile at the same instant does nothing"
    case deadlineAhead = "the next deadline is later than now"
    case nobodyOverlooked = "whoever could do something has done it"
    case countsKept = "what is counted change by change is what counting anew gives"
    case settles = "when the faults end, what was asked for is what is"
    case ends = "a shutdown ends with nothing left"
    case deterministic = "the same inputs give the same effects"
}

/// An invariant that did not hold, and what was seen instead.
package struct InvariantBroken: Error, Sendable {
    package var invariant: Invariant
    package var detail: String
}
