import ControlAPI
import Glibc
import Planning
import Reconciliation
import SidecarModel
import Supervision

extension Supervisor {
    /// Has an effect done. Results come back through `engine.observe`.
    func perform(_ effect: Effect) {
        switch effect {
        case .spawn(let index, let incarnation): spawn(index, incarnation)
        case .runHook(let index, let incarnation, let event, let facts): runHook(index, incarnation, event, facts)
        case .probe(let index, let incarnation, let role): probes.run(index, incarnation, role)
        case .endProbes(let index, let incarnation): probes.end(index, incarnation)
        case .signal(let index, let incarnation, let signal, let target):
            if sessions.signal(index, incarnation, signal, target) { return }
            if let process = lives.process(of: index, incarnation) { host.signal(process, signal, to: target) }
        case .clear(let index, let incarnation, let signal):
            if sessions.clear(index, incarnation) { return }
            if let process = lives.process(of: index, incarnation) { host.clear(process, signal) }
        case .kill(let index, let incarnation):
            if sessions.kill(index, incarnation) { return }
            if let process = lives.process(of: index, incarnation) { host.kill(process) }
        case .inspect(let index, let incarnation):
            let survivors = processes(of: index).flatMap { host.survivors(of: $0) }
            engine.observe(.survived(index, incarnation, survivors))
        case .release(let index, let incarnation):
            probes.end(index, incarnation)
            if sessions.release(index, incarnation) { return }
            guard let process = lives.process(of: index, incarnation) else { return }
            lives.remove(process)
            host.release(process)
        case .retire(let index): retire(index)
        case .finish(let code): finish(code)
        }
    }

    var launcher: Launcher {
        Launcher(
            plan: engine.reconciler.plan, addresses: addresses, inherited: inheritedEnvironment,
            notifySocket: notifySocket.environmentValue, umask: clientUmask, limits: clientLimits.differing,
            foreignNotifySocket: foreignNotifySocket?.environmentValue, secrets: secrets, credentials: credentials)
    }

    // MARK: Processes

    private func spawn(_ index: InstanceIndex, _ incarnation: Incarnation) {
        guard let spec = engine.reconciler.spec(of: index) else { return }
        whenNothingIsStale(of: spec) { [unowned self] failure in
            if let failure {
                engine.observe(.spawnFailed(index, incarnation, failure))
            } else {
                spawnNow(index, incarnation)
            }
        }
    }

    private func spawnNow(_ index: InstanceIndex, _ incarnation: Incarnation) {
        guard let name = engine.name(of: index), let spec = engine.reconciler.spec(of: index) else { return }
        do throws(SpawnFailure) {
            if spec.stdio == .perClient {
                try sessions.open(index, incarnation, name)
                engine.observe(.spawned(index, incarnation, Spawned(pid: nil)))
                return
            }
            try claimPorts(of: spec, name, index)
            var request = try launcher.request(for: spec, name, incarnation)
            request.stop = stopRecord(of: spec)
            request.isAwaited = engine.reconciler.isAwaited(index)
            request.prepare = preparation(of: spec, name, index, incarnation)
            host.spawn(request) { [unowned self] result in
                spawned(index, incarnation, result)
            }
        } catch {
            engine.observe(.spawnFailed(index, incarnation, error))
        }
    }

    /// On the spawner's thread: opens the FIFOs (a slow disk holds up starts, not the loop), and lets go of the ports.
    private func preparation(
        of spec: SidecarSpec, _ name: InstanceName, _ index: InstanceIndex, _ incarnation: Incarnation
    ) -> @Sendable () throws(SpawnFailure) -> StandardDescriptors {
        let (logs, patterns) = (logs, probes.patterns(of: spec, index, incarnation))
        let reservations = takeReservations(of: name)
        let (hold, instance) = (holding(name.holdKey), name.logInstance)
        return { () throws(SpawnFailure) -> StandardDescriptors in
            do throws(SystemError) {
                let input = spec.stdio == .socket ? try logs.openInput(instance) : -1
                let ends: LogEnds
                do throws(SystemError) {
                    ends = try logs.open(
                        instance, incarnation: incarnation, spec: spec.logs, patterns: patterns, wakes: false)
                } catch {
                    if input >= 0 { close(input) }
                    throw error
                }
                hold(ends.newReadEnds)
                for reservation in reservations { reservation.release() }
                return StandardDescriptors(input: input, output: ends.standardOutput, error: ends.standardError)
            } catch {
                throw SpawnFailure(log: name, spec.logs, error)
            }
        }
    }

    /// Has the keeper hold them from before the process is there on, which may end at once. To be called on the spawner's
    /// thread.
    private func holding(_ key: UInt64) -> @Sendable ([Int32]) -> Void {
        let (poster, shortcut) = (loop.poster, host.shortcut)
        // Only handed through the spawner's thread: it is used again on the loop's, where `post` brings it.
        nonisolated(unsafe) let supervisor = self
        return { readEnds in
            if readEnds.isEmpty || shortcut?.hold(key: key, readEnds) ?? true { return }
            poster.post { supervisor.host.hold(key: key, readEnds) }
        }
    }

    private func spawned(
        _ index: InstanceIndex, _ incarnation: Incarnation, _ result: Result<SpawnedProcess, SpawnFailure>
    ) {
        switch result {
        case .failure(let failure):
            if let name = engine.name(of: index) {
                logs.withdrawStart(name.logInstance, incarnation, because: failure.message)
            }
            engine.observe(.spawnFailed(index, incarnation, failure))
        case .success(let spawned):
            lives.add(spawned.id, of: index, incarnation)
            engine.observe(.spawned(index, incarnation, Spawned(pid: spawned.pid)))
            probes.begun(index, incarnation)
            attributeNotifications()
        }
    }

    func exited(_ process: ProcessID, _ status: ExitStatus) {
        if helpers.exited(process, status) || sessions.exited(process, status) { return }
        guard let life = lives.life(of: process) else { return }
        if let name = engine.name(of: life.index) {
            // That one was stopped which never said a word, the journal tells.
            let isStopped = engine.reconciler.stateName(of: life.index) == .stopping
            logs.note(name.logInstance, "\(status)", startsLog: !isStopped)
        }
        let conflict = status == .code(0) ? nil : portConflict(of: life.index, in: process)
        engine.observe(.exited(life.index, life.incarnation, status, portConflict: conflict))
    }

    func emptied(_ process: ProcessID) {
        if helpers.emptied(process) || sessions.emptied(process) { return }
        guard let life = lives.life(of: process) else { return }
        engine.observe(.emptied(life.index, life.incarnation))
    }

    private func retire(_ index: InstanceIndex) {
        guard let name = engine.name(of: index) else { return }
        ahead.forget(name)
        clients.forget(name)
        logs.retire(name.logInstance)
        host.drop(key: name.holdKey)
        probes.forget(index)
        credentials.remove(name)
        reservations[name] = nil
        allocator.release(instance: name.indexed)
        addresses.forget(name)
    }

    // MARK: Hooks

    /// Nothing prepares for a start beside what an earlier life left running.
    private func runHook(_ index: InstanceIndex, _ incarnation: Incarnation, _ event: HookEvent, _ facts: HookFacts) {
        guard event == .preStart, let name = engine.name(of: index), let spec = engine.reconciler.spec(of: index) else {
            return runHookNow(index, incarnation, event, facts)
        }
        whenNothingIsStale(of: spec) { [unowned self] failure in
            if let failure {
                hookFinished(index, incarnation, event, name, failure.message)
            } else {
                runHookNow(index, incarnation, event, facts)
            }
        }
    }

    private func runHookNow(
        _ index: InstanceIndex, _ incarnation: Incarnation, _ event: HookEvent, _ facts: HookFacts
    ) {
        guard let name = engine.name(of: index), let spec = engine.reconciler.spec(of: index),
            let hook = spec.hooks.first(where: { $0.event == event })
        else { return }
        let payload = HookPayload(event, facts, of: name, incarnation, project: engine.reconciler.plan.project.name)
        let answer = { [unowned self] (failure: String?) in
            hookFinished(index, incarnation, event, name, failure)
        }
        let isInGrace = event == .preStop
        let grace = spec.stop.sequence.reduce(Duration.zero) { $0 + $1.wait }
        let timeout = isInGrace ? min(hook.timeout, grace) : hook.timeout
        do throws(SpawnFailure) {
            let launcher = launcher
            let arguments: [String]
            switch hook.action {
            case .command(let templates): arguments = try launcher.arguments(of: templates, for: name)
            case .shell(let script): arguments = Launcher.shell(try launcher.render(script, for: name))
            case .webhook(let url):
                post(payload, to: try launcher.render(url, for: name), timeout: timeout, answer)
                return
            }
            var request = try launcher.helper(
                arguments, of: spec, name, incarnation, kind: .hook, called: event.rawValue, adding: payload.variables)
            request.standardInput = payload.json
            request.prepare = hookOutputs(of: spec, name)
            let id = helpers.run(request, timeout: timeout, endsWithGrace: isInGrace) { outcome in
                answer(outcome.failure(within: timeout))
            }
            if event == .preStart { probes.adopt(id, index, incarnation) }
        } catch {
            answer(error.message)
        }
    }

    private func post(
        _ payload: HookPayload, to url: String, timeout: Duration, _ answer: @escaping (String?) -> Void
    ) {
        let webhook: Webhook
        do {
            webhook = try Webhook(url: url)
        } catch {
            return answer("cannot post to '\(url)': \(error.reason)")
        }
        openPosts += 1
        probes.post(payload.json, to: webhook, timeout: timeout) { [unowned self] failure in
            openPosts -= 1
            answer(failure)
            endWhenIdle()
        }
    }

    /// What a hook prints stands in its sidecar's log, and never in what a client reads.
    private func hookOutputs(of spec: SidecarSpec, _ name: InstanceName)
        -> @Sendable () throws(SpawnFailure) -> StandardDescriptors
    {
        let joined = joinLog(of: spec, name, as: spec.stdio == .none ? .stdout : .stderr)
        return { () throws(SpawnFailure) -> StandardDescriptors in
            let end = try joined()
            return StandardDescriptors(output: end, error: end)
        }
    }

    /// Another end of the instance's log. To be called on the spawner's thread.
    func joinLog(
        of spec: SidecarSpec, _ name: InstanceName, as stream: LogStream, in incarnation: Incarnation? = nil
    ) -> @Sendable () throws(SpawnFailure) -> Int32 {
        let (logs, hold, instance) = (logs, holding(name.holdKey), name.logInstance)
        return { () throws(SpawnFailure) -> Int32 in
            do throws(SystemError) {
                let ends = try logs.join(instance, of: incarnation, spec: spec.logs, as: stream)
                hold(ends.newReadEnds)
                return ends.standardOutput
            } catch {
                throw SpawnFailure(log: name, spec.logs, error)
            }
        }
    }

    private func hookFinished(
        _ index: InstanceIndex, _ incarnation: Incarnation, _ event: HookEvent, _ name: InstanceName,
        _ failure: String?
    ) {
        if let failure {
            let text = "hook \(event.rawValue) failed: \(failure)"
            if event == .preStart, let spec = engine.reconciler.spec(of: index) {
                noticeBeforeStart(text, spec, name)
            } else {
                logs.notice(name.logInstance, text)
            }
        }
        engine.observe(.hookFinished(index, incarnation, event, failure: failure))
    }
}

extension Supervisor {
    /// Where neither a process of it nor a hook has spoken, nobody has its log yet: what has no process joins it too.
    private func noticeBeforeStart(_ text: String, _ spec: SidecarSpec, _ name: InstanceName) {
        let (joined, logs, instance) = (joinLog(of: spec, name, as: .stdout), logs, name.logInstance)
        host.perform {
            // Where the log can't be had there is nowhere to say it; `status` and `why` have it.
            if let end = try? joined() { close(end) }
            logs.notice(instance, text)
        }
    }
}

extension HelperRunner.Outcome {
    /// Nil when it worked.
    fileprivate func failure(within timeout: Duration) -> String? {
        switch self {
        case .exited(.code(0)): nil
        case .exited(let status): "\(status)"
        case .timedOut: "not done after \(timeout.shown)"
        case .failed(let failure): failure.message
        case .cancelled: "ended before it was done"
        }
    }
}

extension SpawnFailure {
    fileprivate init(log name: InstanceName, _ spec: LogSpec, _ error: SystemError) {
        let remedy =
            switch error.errno {
            case ENOSPC, EDQUOT: "free some space"
            case EMFILE: "raise the supervisor's limit on open files: ulimit -n, then down and up"
            case ENFILE: "raise the machine's limit on open files: sysctl fs.file-max"
            default: spec.directory == nil ? "is the disk full?" : "choose another place by logs.dir"
            }
        self.init(
            step: .log, message: "cannot open the log of '\(name.indexed)': \(error); \(remedy)", errno: error.errno)
    }
}
