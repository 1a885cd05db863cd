import CProcess
import Glibc
import SidecarModel
import Synchronization

/// The threads on which children are cloned: a spawn may hang in a directory or program on a dead mount, and opening a
/// FIFO may block; the loop must not.
final class Spawner: Sendable {
    private enum Job: Sendable {
        case spawn(Order)
        case removeGroup(ControlGroups, ProcessID)
        case perform(@Sendable () -> Void)
    }

    private struct State {
        var jobs = WorkQueue<Job>()
        /// For when there is nothing else to do.
        var spareWork = WorkQueue<@Sendable () -> Void>()
        var sleeping = 0
        var isEnding = false
        var threads = 0
        /// Spawns that were asked for, and since when they are under way; while the machine sleeps nothing hangs.
        var underWay: [ProcessID: UnderWay] = [:]
        /// So many of them are still among the jobs.
        var waiting = 0
        /// A bit for each that a thread keeps to.
        var processors: UInt64 = 0
        /// A thread came to one of them since they were looked at.
        var hasBegun = false

        /// True: there is one, to be woken.
        mutating func takeSleeper() -> Bool {
            guard sleeping > 0 else { return false }
            sleeping -= 1
            return true
        }
    }

    private struct UnderWay {
        /// Nil: no thread has come to it.
        var since: SuspendingClock.Instant?
        /// How often it was found to take long. Counted, as time alone also passes while all of us stand still.
        var looks = 0
        /// Nobody waits for it any more: it is not to be cloned.
        var isCancelled = false

        /// True when it was found often enough.
        mutating func countsLook(givesUpAfter most: Int) -> Bool {
            looks += 1
            if looks >= most { isCancelled = true }
            return isCancelled
        }
    }

    /// One is held up by each exec it waits for; the other uses the processor meanwhile.
    private static let usualThreads = 2
    /// Where so many spawns wait, a thread keeps to a processor of its own until there is nothing to do.
    private static let burst = 8
    /// With those that a dead mount holds.
    private let mostThreads: Int
    private let state = Mutex(State())
    private let wakeUp = Semaphore()
    private let isDone = Semaphore()
    private let records: SpawnRecords
    private let descriptorLimit: UInt64
    private let answer: @Sendable (Outcome) -> Void
    private let ring: @Sendable () -> Void

    /// Both are called on a spawner's threads.
    ///
    /// - Parameters:
    ///   - descriptorLimit: the soft limit of open files every child gets. 0: ours.
    ///   - ring: after an answer, unless other spawns wait for a thread: who reads the answers is not to take the
    ///     processor from those. One of them may hang, so while `hasWaiting` the answers are to be looked for.
    init(
        records: SpawnRecords, descriptorLimit: UInt64, mostThreads: Int = 64,
        answer: @escaping @Sendable (Outcome) -> Void, ring: @escaping @Sendable () -> Void = {}
    ) {
        self.records = records
        self.descriptorLimit = descriptorLimit
        self.mostThreads = mostThreads
        self.answer = answer
        self.ring = ring
    }

    /// The threads keep the spawner until `end()`.
    func start() throws(SystemError) {
        for _ in 0..<Self.usualThreads { try startThread() }
    }

    private func startThread() throws(SystemError) {
        let thread = try WorkerThread(name: "spawner") {
            self.work()
            self.isDone.raise()
        }
        thread.detach()
        state.withLock { $0.threads += 1 }
    }

    struct Hanging {
        /// So many are under way for longer than was asked.
        var held = 0
        var givenUp: [ProcessID] = []
        /// Given up too, as no thread is left that could come to them.
        var unstarted: [ProcessID] = []
    }

    /// Looks for spawns that are under way for longer: they wait for a file system that does not answer. Those that were
    /// found often enough are given up, and never cloned unless they are being cloned already.
    func look(for duration: Duration, givesUpAfter looks: Int) -> Hanging {
        let now = SuspendingClock.now
        return state.withLock { state in
            var found = Hanging()
            for (id, spawn) in state.underWay {
                guard let since = spawn.since, now - since >= duration else { continue }
                found.held += 1
                if state.underWay[id]?.countsLook(givesUpAfter: looks) == true { found.givenUp.append(id) }
            }
            // As long as the threads come to something, the others' turn comes too.
            let isStuck = found.held >= state.threads && !state.hasBegun
            state.hasBegun = false
            for (id, spawn) in state.underWay where spawn.since == nil {
                if !isStuck {
                    state.underWay[id]?.looks = 0
                } else if state.underWay[id]?.countsLook(givesUpAfter: looks) == true {
                    found.unstarted.append(id)
                }
            }
            return found
        }
    }

    /// Sees to it that there are as many threads as usual beside those that are held.
    func relieve(held: Int) {
        let missing = state.withLock { min(Self.usualThreads + held, mostThreads) - $0.threads }
        // Without another one the others wait, as they would have.
        for _ in 0..<max(0, missing) { try? startThread() }
    }

    func spawn(_ order: Order) { add(.spawn(order)) }
    /// False: what is answered from now on is rung for. What was answered before may not have been.
    var hasWaiting: Bool { state.withLock { $0.waiting > 0 } }
    func remove(_ id: ProcessID, in groups: ControlGroups) { add(.removeGroup(groups, id)) }
    /// What may take long, between the spawns.
    func perform(_ work: @escaping @Sendable () -> Void) { add(.perform(work)) }

    /// What saves a later spawn some time and nobody waits for: once there is nothing else to do, and never at the end.
    /// - Parameter wakes: false leaves it to whoever is at something now, or comes to something next.
    func performWhenIdle(wakes: Bool = true, _ work: @escaping @Sendable () -> Void) {
        let wakesOne = state.withLock { state in
            state.spareWork.append(work)
            return wakes && state.takeSleeper()
        }
        if wakesOne { wakeUp.raise() }
    }

    /// After what was asked before.
    func end() {
        let threads = state.withLock { state in
            state.isEnding = true
            return state.threads
        }
        for _ in 0..<threads { wakeUp.raise() }
    }

    /// Ends, and waits until what was asked before is done; not for ever, as a spawn may hang. What hangs then is not
    /// cloned when the file system answers after all.
    func finish() {
        end()
        state.withLock { state in
            for (id, spawn) in state.underWay where spawn.since != nil { state.underWay[id]?.isCancelled = true }
        }
        let deadline = SuspendingClock.now + .seconds(2)
        for _ in 0..<state.withLock({ $0.threads }) { isDone.wait(until: deadline) }
    }

    private func add(_ job: Job) {
        let wakesOne = state.withLock { state in
            state.jobs.append(job)
            if case .spawn(let order) = job {
                state.underWay[order.id] = UnderWay()
                state.waiting += 1
            }
            return state.takeSleeper()
        }
        if wakesOne { wakeUp.raise() }
    }

    private enum Next {
        case job(Job)
        case sleep
        case end
    }

    private func next() -> Next {
        state.withLock { state in
            if let job = state.jobs.take() { return .job(job) }
            if state.isEnding { return .end }
            if let work = state.spareWork.take() { return .job(.perform(work)) }
            state.sleeping += 1
            return .sleep
        }
    }

    private func work() {
        var seat = SpawnSeat()
        while true {
            switch next() {
            case .job(.spawn(let order)):
                begin(order.id, &seat)
                let outcome = perform(order, seat)
                state.withLock { _ = $0.underWay.removeValue(forKey: order.id) }
                answer(outcome)
                if !hasWaiting { ring() }
            case .job(.removeGroup(let groups, let id)): groups.remove(id)
            case .job(.perform(let work)): work()
            case .sleep:
                state.withLock { seat.leaveProcessor(&$0.processors) }
                wakeUp.wait()
            case .end: return
            }
        }
    }

    private func begin(_ id: ProcessID, _ seat: inout SpawnSeat) {
        let now = SuspendingClock.now
        state.withLock { state in
            state.underWay[id]?.since = now
            state.underWay[id]?.looks = 0
            state.waiting -= 1
            if state.waiting >= Self.burst { seat.keepToProcessor(besides: &state.processors) }
            state.hasBegun = true
        }
    }

    // MARK: One spawn

    private func perform(_ order: Order, _ seat: borrowing SpawnSeat) -> Outcome {
        let request = order.request
        var outcome = Outcome(id: order.id, pid: 0, descriptor: -1, failure: nil, isAwaited: request.isAwaited)
        var opened: [Int32] = []
        defer { for descriptor in Set(opened) { close(descriptor) } }
        do throws(SpawnFailure) {
            try checkWanted(order.id)
            var standard = request.descriptors
            if let prepare = request.prepare {
                standard = try prepare()
                opened += [standard.input, standard.output, standard.error].filter { $0 > 2 }
            }
            if let bytes = request.standardInput {
                standard.input = orch_memory_file(bytes, bytes.count)
                guard standard.input >= 0 else {
                    throw SpawnFailure(
                        .descriptors, "cannot pass the standard input", errno: -standard.input)
                }
                opened.append(standard.input)
            }
            let identity = try request.identity.resolved(descriptorLimit: descriptorLimit)
            // A client's input and output stay the client's.
            let isClients = request.kind == .client
            try identity?.own(isClients ? [standard.error] : [standard.input, standard.output, standard.error])
            try request.credentials?.write(for: identity?.owner)
            let program = try findProgram(request)
            if let group = order.group {
                try clone(order, identity, program: program, standard, into: group, seat, &outcome)
            }
            // None was made ahead, or somebody has removed it: an empty one is anybody's to remove.
            if order.group == nil || outcome.failure?.step == .cgroup {
                let group = try makeGroup(order)
                if group >= 0 { opened.append(group) }
                try clone(order, identity, program: program, standard, into: group, seat, &outcome)
            }
        } catch {
            outcome.failure = error
        }
        if outcome.failure != nil { order.groups?.remove(order.id) }
        return outcome
    }

    private func checkWanted(_ id: ProcessID) throws(SpawnFailure) {
        guard state.withLock({ $0.underWay[id]?.isCancelled ?? false }) else { return }
        throw SpawnFailure(step: .execute, message: "given up before it was started")
    }

    private func findProgram(_ request: ProcessRequest) throws(SpawnFailure) -> [CChar] {
        guard let name = request.arguments.first, !name.isEmpty else {
            throw SpawnFailure(step: .execute, message: "cannot execute: the command is empty")
        }
        let path = request.environment.last { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) }
        var found = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let failure = orch_find_executable(name, path, request.workingDirectory, &found, found.count)
        guard failure != 0 else { return found }
        // A directory that isn't there explains a program that isn't there, and is the step that fails first.
        if access(request.workingDirectory, X_OK) != 0 {
            throw SpawnFailure(
                .directory, "cannot change directory to \(request.workingDirectory)", errno: errno)
        }
        if failure == -ENOENT, !name.contains("/") {
            let searched = path.map { "PATH (\($0))" } ?? "the default PATH"
            throw SpawnFailure(
                step: .execute, message: "cannot execute '\(name)': not found in \(searched)", errno: ENOENT)
        }
        throw SpawnFailure(.execute, "cannot execute '\(name)'", errno: -failure)
    }

    private func makeGroup(_ order: Order) throws(SpawnFailure) -> Int32 {
        guard let groups = order.groups else { return -1 }
        let group = groups.make(order.id)
        guard group >= 0 else { throw SpawnFailure(.cgroup, "cannot make a cgroup in \(groups.path)", errno: -group) }
        return group
    }

    private func clone(
        _ order: Order, _ identity: ResolvedIdentity?, program: [CChar], _ standard: StandardDescriptors,
        into group: Int32, _ seat: borrowing SpawnSeat, _ outcome: inout Outcome
    ) throws(SpawnFailure) {
        let request = order.request
        // What is not enforced was said when the manifest was applied.
        if group >= 0, !request.resources.isEmpty { _ = order.groups?.limit(order.id, to: request.resources) }
        try checkWanted(order.id)
        let (reserved, leavesProcessor) = (seat.reserved, seat.hasProcessor)
        var result = orch_spawn_result()
        CStringArray(request.arguments).withPointers { arguments in
            let own = identity?.variables.map { "\($0.name)=\($0.value)" } ?? []
            CStringArray(own.isEmpty ? request.environment : request.environment + own).withPointers {
                environment in
                program.withUnsafeBufferPointer { program in
                    request.workingDirectory.withCString { directory in
                        var raw = orch_spawn_request(
                            path: program.baseAddress, arguments: arguments, environment: environment,
                            directory: directory, standard_input: standard.input, standard_output: standard.output,
                            standard_error: standard.error, reserved: reserved, cgroup_fd: group,
                            is_keepers_child: order.isKeepersChild ? 1 : 0, leaves_processor: leavesProcessor ? 1 : 0,
                            descriptor_limit: descriptorLimit,
                            has_umask: request.umask == nil ? 0 : 1, umask: request.umask ?? 0,
                            mark: order.mark, slot: records.slot(order.id.slot), identity: nil)
                        guard let identity else { return orch_spawn(&raw, &result) }
                        identity.withRaw { identity in
                            raw.identity = identity
                            orch_spawn(&raw, &result)
                        }
                    }
                }
            }
        }
        outcome.pid = result.pid
        outcome.descriptor = result.pidfd
        outcome.failure =
            result.step == ORCH_STEP_NONE ? nil : identity?.failure(result) ?? failure(of: result, request)
    }

    private func failure(of result: orch_spawn_result, _ request: ProcessRequest) -> SpawnFailure {
        let name = request.arguments.first ?? ""
        return switch Int(result.step) {
        case ORCH_STEP_CGROUP: SpawnFailure(.cgroup, "cannot start it in its cgroup", errno: result.error)
        case ORCH_STEP_FORK where result.error == ENOSYS:
            SpawnFailure(step: .fork, message: "cannot clone: this needs Linux 5.7 or later", errno: ENOSYS)
        case ORCH_STEP_FORK where result.error == EAGAIN:
            SpawnFailure(
                step: .fork,
                message: "cannot clone: \(SystemError.message(for: EAGAIN)); \(SystemError.moreProcesses)",
                errno: EAGAIN)
        case ORCH_STEP_FORK: SpawnFailure(.fork, "cannot clone", errno: result.error)
        case ORCH_STEP_SESSION: SpawnFailure(.session, "cannot start a session", errno: result.error)
        case ORCH_STEP_LIMITS: SpawnFailure(.limits, "cannot set the limits", errno: result.error)
        case ORCH_STEP_IDENTITY: SpawnFailure(.identity, "cannot change the identity", errno: result.error)
        case ORCH_STEP_DESCRIPTORS: SpawnFailure(.descriptors, "cannot place the descriptors", errno: result.error)
        case ORCH_STEP_DIRECTORY:
            SpawnFailure(.directory, "cannot change directory to \(request.workingDirectory)", errno: result.error)
        case _ where result.error == ENOENT:
            // The file was found before, so it is what the file names.
            SpawnFailure(
                step: .execute, message: "cannot execute '\(name)': the interpreter it names is not there",
                errno: ENOENT)
        case _ where result.error == ENOEXEC:
            SpawnFailure(
                step: .execute, message: "cannot execute '\(name)': neither a program nor a script with a #! line",
                errno: ENOEXEC)
        case _: SpawnFailure(.execute, "cannot execute '\(name)'", errno: result.error)
        }
    }
}

extension SpawnFailure {
    fileprivate init(_ step: SpawnStep, _ sentence: String, errno: Int32) {
        self.init(step: step, message: "\(sentence): \(SystemError.message(for: errno))", errno: errno)
    }
}
