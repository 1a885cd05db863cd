import Glibc
package import Reconciliation
import SidecarModel

/// Runs checks on the loop: each once, with a hard time limit, and one answer.
///
/// The answer never comes before `run` has returned. A cancelled check gives none.
package final class Prober {
    package struct CheckID: Hashable, Sendable { fileprivate var number: UInt64 }

    private struct Run {
        var answer: (ProbeOutcome) -> Void
        var deadline: EventLoop.TimerID
        /// Ends what is under way.
        var abort: () -> Void
    }

    private let loop: EventLoop
    private let ownership: SocketOwnership
    private let names: NameLookup
    private var runs: [UInt64: Run] = [:]
    private var count: UInt64 = 0

    package init(loop: EventLoop, ownership: SocketOwnership = SocketOwnership()) {
        self.loop = loop
        self.ownership = ownership
        names = NameLookup(loop: loop)
    }

    /// Starts the check; its time runs from now.
    package func run(_ request: ProbeRequest, answer: @escaping (ProbeOutcome) -> Void) -> CheckID {
        count += 1
        let number = count
        let deadline = loop.schedule(at: loop.now + request.timeout) { [unowned self] in expire(number) }
        runs[number] = Run(answer: answer, deadline: deadline, abort: {})
        var hasReturned = false
        let finish: (ProbeOutcome) -> Void = { [unowned self] outcome in
            if hasReturned {
                deliver(number, outcome)
            } else {
                loop.soon { [unowned self] in deliver(number, outcome) }
            }
        }
        let abort = start(request, finish: finish)
        runs[number]?.abort = abort
        hasReturned = true
        return CheckID(number: number)
    }

    /// It will not answer any more. Harmless when it has.
    package func cancel(_ id: CheckID) {
        guard let run = runs.removeValue(forKey: id.number) else { return }
        loop.cancel(run.deadline)
        run.abort()
    }

    private func deliver(_ number: UInt64, _ outcome: ProbeOutcome) {
        guard let run = runs.removeValue(forKey: number) else { return }
        loop.cancel(run.deadline)
        run.answer(outcome)
    }

    private func expire(_ number: UInt64) {
        guard let run = runs.removeValue(forKey: number) else { return }
        run.abort()
        run.answer(.timeout)
    }

    // MARK: Checks

    /// Answers what ends it early.
    private func start(_ request: ProbeRequest, finish: @escaping (ProbeOutcome) -> Void) -> () -> Void {
        switch request.check {
        case .http(let http):
            return resolve(http.host, finish) { [unowned self] address in
                startHTTP(http, address, request.owner, finish)
            }
        case .tcp(let host, let port):
            return resolve(host, finish) { [unowned self] address in
                startTCP(address, port, request.owner, finish)
            }
        case .unix(let path):
            return startUnix(path, request.owner, finish)
        case .file(let path, let startedAt, let maxAge):
            finish(FileCheck(path: path, startedAt: startedAt, maxAge: maxAge).outcome(at: .now))
            return {}
        case .exec(let start):
            return start { failure in finish(failure.map { .failure($0) } ?? .success) }
        }
    }

    private func resolve(
        _ host: String, _ finish: @escaping (ProbeOutcome) -> Void, _ begin: @escaping (IPAddress) -> () -> Void
    ) -> () -> Void {
        let stage = Stage()
        let lookup = names.resolve(host) { answer in
            switch answer {
            case .address(let address): stage.abort = begin(address)
            case .failure(let reason): finish(.failure(reason))
            }
        }
        if let lookup, stage.abort == nil { stage.abort = { [unowned self] in names.cancel(lookup) } }
        return { stage.abort?() }
    }

    /// What is to be ended changes as a check goes on.
    private final class Stage { var abort: (() -> Void)? }

    private func startHTTP(
        _ http: ProbeRequest.HTTP, _ address: IPAddress, _ owner: SocketOwnership.Subject?,
        _ finish: @escaping (ProbeOutcome) -> Void
    ) -> () -> Void {
        guard
            let exchange = HTTPExchange(
                loop: loop, request: http.request, host: http.host, address: address, port: http.port,
                keepsBody: http.body != nil)
        else {
            finish(.failure("the request has a control character in its method or headers"))
            return {}
        }
        exchange.start { [unowned self] outcome in
            switch outcome {
            case .failure(let reason): finish(.failure("\(Self.place(address, http.port)): \(reason)"))
            case .response(let status, let body):
                if let mismatch = http.mismatch(status: status, body: body) {
                    finish(.failure(mismatch))
                } else {
                    finish(owner.map { ownership.outcome($0, address: address, port: http.port) } ?? .success)
                }
            }
        }
        return { exchange.cancel() }
    }

    private func startTCP(
        _ address: IPAddress, _ port: UInt16, _ owner: SocketOwnership.Subject?,
        _ finish: @escaping (ProbeOutcome) -> Void
    ) -> () -> Void {
        let connection = StreamConnection(loop: loop)
        let proceed: (StreamConnection.Progress) -> Void = { [unowned self, unowned connection] progress in
            switch progress {
            case .waiting: return
            case .connected:
                connection.close()
                finish(owner.map { ownership.outcome($0, address: address, port: port) } ?? .success)
            case .failed(let error):
                connection.close()
                finish(.failure("\(Self.place(address, port)): \(error.message)"))
            }
        }
        proceed(connection.connect(to: address, port: port, changed: proceed))
        return { connection.close() }
    }

    private func startUnix(
        _ path: String, _ owner: SocketOwnership.Subject?, _ finish: @escaping (ProbeOutcome) -> Void
    ) -> () -> Void {
        let connection = StreamConnection(loop: loop)
        let proceed: (StreamConnection.Progress) -> Void = { [unowned self, unowned connection] progress in
            switch progress {
            case .waiting: return
            case .connected:
                let outcome = owner.map { ownership.outcome($0, unixPeerOf: connection.descriptor) } ?? .success
                connection.close()
                finish(outcome)
            case .failed(let error):
                connection.close()
                let reason = error.errno == EAGAIN ? "its queue of connections is full" : error.message
                finish(.failure("\(path): \(reason)"))
            }
        }
        proceed(connection.connect(toUnix: path, changed: proceed))
        return { connection.close() }
    }

    private static func place(_ address: IPAddress, _ port: UInt16) -> String {
        address.family == .v4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}

extension ProbeRequest.HTTP {
    /// What is wrong with the answer. Nil: nothing.
    fileprivate func mismatch(status got: Int, body text: [UInt8]) -> String? {
        let place = "\(request.method) \(request.path)"
        guard status.contains(got) else {
            let wanted =
                status.lowerBound == status.upperBound
                ? "\(status.lowerBound)" : "\(status.lowerBound)-\(status.upperBound)"
            return "\(place) answered \(got), expected \(wanted)"
        }
        guard let body, !text.withUnsafeBytes({ body.matches($0) }) else { return nil }
        return "\(place) answered \(got), but its body does not match '\(body.pattern)'"
    }
}

/// A file as a sign of life.
struct FileCheck {
    var path: String
    var startedAt: WallTime
    var maxAge: Duration?

    /// The kernel stamps files with the time of its last tick.
    private static let tick: Int64 = 10_000

    func outcome(at now: WallTime) -> ProbeOutcome {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return .failure("\(path): \(SystemError.message(for: errno))") }
        let changed = Int64(facts.st_mtim.tv_sec) * 1_000_000 + Int64(facts.st_mtim.tv_nsec) / 1000
        guard changed + Self.tick >= startedAt.microseconds else {
            return .failure("\(path) is older than this start of the sidecar")
        }
        guard let maxAge else { return .success }
        let age = Duration.microseconds(max(0, now.microseconds - changed))
        guard age > maxAge else { return .success }
        return .failure("\(path) was last changed \(age.components.seconds) s ago, more than max_age")
    }
}
