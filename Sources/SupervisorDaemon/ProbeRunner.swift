import ControlAPI
import Reconciliation
import SidecarModel
import Supervision

/// Carries out the core's probes: what is looked up, connected to or run, and what the sidecar says by itself.
///
/// Confined to the loop's thread.
final class ProbeRunner {
    unowned var supervisor: Supervisor!
    private let helpers: HelperRunner
    private let host: ProcessHost
    private let ownership = SocketOwnership()
    private let prober: Prober
    /// By instance: what is under way for its current life.
    private var running: [Int: [Running]] = [:]
    /// Who waits for a line of a log, by the pattern's token.
    private var watched: [UInt64: Question] = [:]
    /// Said by lives whose spawn the core has not heard of yet: a quick one speaks before its pid comes back.
    private var early: [(question: Question, token: UInt64)] = []
    private var lastToken: UInt64 = 0

    private struct Question: Hashable {
        var index: InstanceIndex
        var incarnation: Incarnation
        var role: ProbeRole
    }

    private struct Running {
        enum Work {
            case check(Prober.CheckID)
            case helper(HelperRunner.ID)
        }

        var incarnation: Incarnation
        var token: UInt64
        var work: Work
    }

    init(loop: EventLoop, helpers: HelperRunner, host: ProcessHost) {
        self.helpers = helpers
        self.host = host
        prober = Prober(loop: loop, ownership: ownership)
    }

    /// Runs one check, once.
    func run(_ index: InstanceIndex, _ incarnation: Incarnation, _ role: ProbeRole) {
        guard let name = supervisor.engine.name(of: index), let spec = supervisor.engine.reconciler.spec(of: index),
            let probe = spec.health[role]
        else { return }
        let question = Question(index: index, incarnation: incarnation, role: role)
        do throws(SpawnFailure) {
            if case .exec(let templates) = probe.check {
                try runProgram(templates, probe, spec, name, question)
            } else if let request = try request(for: probe, spec, name, question) {
                let token = nextToken()
                let check = prober.run(request) { [unowned self] outcome in
                    forget(token, of: index)
                    answer(question, outcome)
                }
                remember(.check(check), token, question)
            }
        } catch {
            answer(question, .failure(error.message))
        }
    }

    /// Ends whatever still asks for this life; nothing of it answers any more, but a `pre_start` hook, whose end is awaited.
    func end(_ index: InstanceIndex, _ incarnation: Incarnation) {
        for run in running[index.value] ?? [] where run.incarnation == incarnation {
            switch run.work {
            case .check(let id): prober.cancel(id)
            case .helper(let id): helpers.cancel(id)
            }
        }
        running[index.value]?.removeAll { $0.incarnation == incarnation }
        for (token, question) in watched where question.index == index && question.incarnation == incarnation {
            watched[token] = nil
            if let name = supervisor.engine.name(of: index) { supervisor.logs.unwatch(name.logInstance, token: token) }
        }
    }

    /// The instance is gone for good.
    func forget(_ index: InstanceIndex) {
        running[index.value] = nil
        ownership.forget(key: index.value)
    }

    /// A `pre_start` hook ends with what it prepares for.
    func adopt(_ hook: HelperRunner.ID, _ index: InstanceIndex, _ incarnation: Incarnation) {
        running[index.value, default: []].append(
            Running(incarnation: incarnation, token: nextToken(), work: .helper(hook)))
    }

    func post(
        _ json: [UInt8], to webhook: Webhook, timeout: Duration, completion: @escaping (String?) -> Void
    ) {
        _ = prober.post(json, to: webhook, timeout: timeout, answer: completion)
    }

    // MARK: What the sidecar says by itself

    /// The patterns the log is searched for.
    func patterns(of spec: SidecarSpec, _ index: InstanceIndex, _ incarnation: Incarnation) -> [LogPattern] {
        ProbeRole.allCases.compactMap { role in
            guard case .log(let pattern, let stream) = spec.health[role]?.check,
                let expression = try? RegularExpression(pattern)
            else { return nil }
            let token = nextToken()
            watched[token] = Question(index: index, incarnation: incarnation, role: role)
            return LogPattern(token: token, expression: expression, stream: stream)
        }
    }

    func matched(_ token: UInt64) {
        guard let question = watched[token] else { return }
        guard supervisor.lives.process(of: question.index, question.incarnation) != nil else {
            return early.append((question, token))
        }
        watched[token] = nil
        answer(question, .success)
    }

    /// The core has heard of this life, and can be told what it said meanwhile.
    func begun(_ index: InstanceIndex, _ incarnation: Incarnation) {
        let said = early.filter { $0.question.index == index && $0.question.incarnation == incarnation }
        early.removeAll { $0.question.index == index }
        for (_, token) in said { matched(token) }
    }

    /// sd_notify READY=1 of a process of this life.
    func notified(_ index: InstanceIndex, _ incarnation: Incarnation, _ spec: SidecarSpec) {
        for role in ProbeRole.allCases where spec.health[role]?.isNotify ?? false {
            answer(Question(index: index, incarnation: incarnation, role: role), .success)
        }
    }

    private func answer(_ question: Question, _ outcome: ProbeOutcome) {
        supervisor.engine.observe(.probed(question.index, question.incarnation, question.role, outcome))
    }

    // MARK: What is asked

    private func runProgram(
        _ templates: [Template], _ probe: Probe, _ spec: SidecarSpec, _ name: InstanceName, _ question: Question
    ) throws(SpawnFailure) {
        let launcher = supervisor.launcher
        let request = try launcher.helper(
            try launcher.arguments(of: templates, for: name), of: spec, name, question.incarnation, kind: .probe,
            called: question.role.rawValue)
        let token = nextToken()
        let id = helpers.run(request, timeout: probe.timeout) { [unowned self] outcome in
            forget(token, of: question.index)
            switch outcome {
            case .exited(.code(0)): answer(question, .success)
            case .exited(let status): answer(question, .failure("\(request.arguments.first ?? "it"): \(status)"))
            case .timedOut: answer(question, .timeout)
            case .failed(let failure): answer(question, .failure(failure.message))
            case .cancelled: break
            }
        }
        remember(.helper(id), token, question)
    }

    /// Nil for what is not asked but told.
    private func request(
        for probe: Probe, _ spec: SidecarSpec, _ name: InstanceName, _ question: Question
    ) throws(SpawnFailure) -> ProbeRequest? {
        let launcher = supervisor.launcher
        let check: ProbeRequest.Check
        switch probe.check {
        case .http(let http):
            let (host, port) = try place(http.port, http.host, spec, name)
            var headers: [(name: String, value: String)] = []
            for header in http.headers {
                headers.append((header.name, try launcher.render(header.value, for: name)))
            }
            let request = HTTPRequest(
                method: http.method, path: try launcher.render(http.path, for: name), headers: headers)
            check = .http(
                ProbeRequest.HTTP(
                    host: host, port: port, request: request, status: http.status,
                    body: http.body.flatMap { try? RegularExpression($0) }))
        case .tcp(let choice, let given):
            let (host, port) = try place(choice, given, spec, name)
            check = .tcp(host: host, port: port)
        case .unix(let path):
            check = .unix(path: try absolute(path, spec, name))
        case .file(let path, let maxAge):
            check = .file(
                path: try absolute(path, spec, name), startedAt: startTime(question), maxAge: maxAge)
        case .exec, .log, .notify:
            return nil
        }
        return ProbeRequest(check, timeout: probe.timeout, owner: owner(for: probe, spec, question))
    }

    private func place(
        _ choice: Probe.PortChoice, _ host: Template?, _ spec: SidecarSpec, _ name: InstanceName
    ) throws(SpawnFailure) -> (host: String, port: UInt16) {
        let given = try host.map { template throws(SpawnFailure) in
            try supervisor.launcher.render(template, for: name)
        }
        switch choice {
        case .number(let number):
            return (given ?? spec.ports.first?.bind ?? "127.0.0.1", number)
        case .named(let port):
            guard let number = supervisor.addresses.port(port, of: name) else {
                throw SpawnFailure(step: .reference, message: "it has been given no port '\(port)'")
            }
            return (given ?? spec.ports.first { $0.name == port }?.bind ?? "127.0.0.1", number)
        }
    }

    private func absolute(_ path: Template, _ spec: SidecarSpec, _ name: InstanceName) throws(SpawnFailure) -> String {
        let path = try supervisor.launcher.render(path, for: name)
        if path.hasPrefix("/") { return path }
        return try supervisor.launcher.workingDirectory(of: spec, name) + "/" + path
    }

    /// A service of ours is asked for by address: whoever else listens there is not its health.
    private func owner(for probe: Probe, _ spec: SidecarSpec, _ question: Question) -> SocketOwnership.Subject? {
        guard probe.owner == .self, spec.kind != .external,
            let process = supervisor.lives.process(of: question.index, question.incarnation)
        else { return nil }
        return SocketOwnership.Subject(
            key: question.index.value, incarnation: question.incarnation,
            members: { [host] in host.members(of: process) }, holds: { [host] in host.owner(ofPID: $0) == process })
    }

    /// By the kernel: the sidecar may have written its file before the loop heard that it was started.
    private func startTime(_ question: Question) -> WallTime {
        let process = supervisor.lives.process(of: question.index, question.incarnation)
        let instant =
            process.flatMap { host.startInstant(of: $0) }
            ?? supervisor.engine.reconciler.status(of: question.index)?.startedAt ?? .now
        return WallTime(microseconds: WallClock().timestamp(instant).microseconds)
    }

    // MARK: What is under way

    private func nextToken() -> UInt64 {
        lastToken += 1
        return lastToken
    }

    private func remember(_ work: Running.Work, _ token: UInt64, _ question: Question) {
        running[question.index.value, default: []].append(
            Running(incarnation: question.incarnation, token: token, work: work))
    }

    private func forget(_ token: UInt64, of index: InstanceIndex) {
        running[index.value]?.removeAll { $0.token == token }
    }
}

extension Probe {
    fileprivate var isNotify: Bool { if case .notify = check { true } else { false } }
}
