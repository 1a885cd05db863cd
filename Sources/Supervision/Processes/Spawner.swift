import CProcess
import Glibc
import SidecarModel
import Synchronization

/// The thread on which children are cloned: a spawn may hang in a directory or program on a dead mount, and opening a
/// FIFO may block; the loop must not.
final class Spawner: Sendable {
    struct Order: Sendable {
        var id: ProcessID
        var request: ProcessRequest
        var mark: UInt64
        /// The keeper's child, or ours.
        var isKeepersChild: Bool
        var groups: ControlGroups?
    }

    struct Outcome: Sendable {
        var id: ProcessID
        /// The child, also one that could not execute and is to be reaped; 0 when there is none.
        var pid: Int32
        var descriptor: Int32
        var failure: SpawnFailure?
    }

    private enum Job: Sendable {
        case spawn(Order)
        case removeGroup(ControlGroups, ProcessID)
        case perform(@Sendable () -> Void)
        case end
    }

    private struct State {
        var jobs: [Job] = []
        var isAwake = false
    }

    private let state = Mutex(State())
    /// Raised once per batch of jobs.
    private let wakeUp = Semaphore()
    private let isDone = Semaphore()
    private let records: SpawnRecords
    private let descriptorLimit: UInt64
    /// Used on the spawner's thread only: every child's standard descriptors, for the moment of the clone.
    private let reserved: (Int32, Int32, Int32)
    private let answer: @Sendable (Outcome) -> Void

    /// - Parameters:
    ///   - descriptorLimit: the soft limit of open files every child gets. 0: ours.
    ///   - answer: called on the spawner's thread.
    init(records: SpawnRecords, descriptorLimit: UInt64, answer: @escaping @Sendable (Outcome) -> Void) {
        self.records = records
        self.descriptorLimit = descriptorLimit
        self.answer = answer
        var reserved: [Int32] = [0, 0, 0]
        orch_reserve_descriptors(&reserved)
        self.reserved = (reserved[0], reserved[1], reserved[2])
    }

    deinit {
        for descriptor in [reserved.0, reserved.1, reserved.2] where descriptor > 0 { close(descriptor) }
    }

    /// The thread keeps the spawner until `end()`.
    func start() throws(SystemError) {
        _ = try WorkerThread(name: "spawner") {
            self.work()
            self.isDone.raise()
        }
    }

    func spawn(_ order: Order) { add(.spawn(order)) }
    func remove(_ id: ProcessID, in groups: ControlGroups) { add(.removeGroup(groups, id)) }
    /// What may take long, between the spawns.
    func perform(_ work: @escaping @Sendable () -> Void) { add(.perform(work)) }
    /// After what was asked before.
    func end() { add(.end) }
    /// Ends, and waits until what was asked before is done; not for ever, as a spawn may hang.
    func finish() {
        end()
        isDone.wait(seconds: 2)
    }

    private func add(_ job: Job) {
        let wasAsleep = state.withLock { state in
            state.jobs.append(job)
            defer { state.isAwake = true }
            return !state.isAwake
        }
        if wasAsleep { wakeUp.raise() }
    }

    private func take() -> [Job] {
        state.withLock { state in
            let jobs = state.jobs
            state.jobs.removeAll()
            if jobs.isEmpty { state.isAwake = false }
            return jobs
        }
    }

    private func work() {
        while true {
            wakeUp.wait()
            while true {
                let jobs = take()
                if jobs.isEmpty { break }
                for job in jobs {
                    switch job {
                    case .spawn(let order): answer(perform(order))
                    case .removeGroup(let groups, let id): groups.remove(id)
                    case .perform(let work): work()
                    case .end: return
                    }
                }
            }
        }
    }

    // MARK: One spawn

    private func perform(_ order: Order) -> Outcome {
        let request = order.request
        defer { request.afterwards?() }
        var outcome = Outcome(id: order.id, pid: 0, descriptor: -1, failure: nil)
        var opened: [Int32] = []
        defer { for descriptor in Set(opened) { close(descriptor) } }
        do throws(SpawnFailure) {
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
            try identity?.own([standard.output, standard.error])
            try request.credentials?.write(for: identity?.owner)
            let program = try findProgram(request)
            let group = try makeGroup(order)
            if group >= 0 { opened.append(group) }
            // What is not enforced was said when the manifest was applied.
            if group >= 0, !request.resources.isEmpty { _ = order.groups?.limit(order.id, to: request.resources) }
            clone(order, identity, program: program, standard: standard, group: group, into: &outcome)
        } catch {
            outcome.failure = error
        }
        if outcome.failure != nil { order.groups?.remove(order.id) }
        return outcome
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
        _ order: Order, _ identity: ResolvedIdentity?, program: [CChar], standard: StandardDescriptors, group: Int32,
        into outcome: inout Outcome
    ) {
        let request = order.request
        var result = orch_spawn_result()
        CStringArray(request.arguments).withPointers { arguments in
            CStringArray(identity.map { request.environment + $0.variables } ?? request.environment).withPointers {
                environment in
                program.withUnsafeBufferPointer { program in
                    request.workingDirectory.withCString { directory in
                        var raw = orch_spawn_request(
                            path: program.baseAddress, arguments: arguments, environment: environment,
                            directory: directory, standard_input: standard.input, standard_output: standard.output,
                            standard_error: standard.error, reserved: reserved, cgroup_fd: group,
                            is_keepers_child: order.isKeepersChild ? 1 : 0, descriptor_limit: descriptorLimit,
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
        if result.step != ORCH_STEP_NONE {
            outcome.failure = identity?.failure(result) ?? failure(of: result, request)
        }
    }

    private func failure(of result: orch_spawn_result, _ request: ProcessRequest) -> SpawnFailure {
        let name = request.arguments.first ?? ""
        return switch Int(result.step) {
        case ORCH_STEP_CGROUP: SpawnFailure(.cgroup, "cannot start it in its cgroup", errno: result.error)
        case ORCH_STEP_FORK where result.error == ENOSYS:
            SpawnFailure(step: .fork, message: "cannot clone: this needs Linux 5.7 or later", errno: ENOSYS)
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
