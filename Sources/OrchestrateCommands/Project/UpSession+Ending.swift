import ControlAPI
import ControlClient
import SidecarModel
import StateStore

// How an `up` comes to its exit code, and what becomes of the project then.
extension UpSession {
    /// What the command exits with when it took the project down and nothing of it was left.
    enum Code {
        case fixed(Int32)
        /// The primary's where there is one, if this is all there was to the container.
        case ofPrimary(otherwise: Int32)
    }

    /// Nil: they were stopped with the project, whose end is to be told yet.
    func fail(_ names: [String]) throws -> Int32? {
        let report = try client.call(Status.self, .init())
        let failed = report.sidecars.filter { names.contains($0.name) }
        if report.phase == .stopping, failed.allSatisfy({ $0.state == .stopped }) { return nil }
        screen.clear()
        // A primary's end is the project's, which is on its way down already.
        let deciding =
            options.exitCodeFrom.flatMap { exitCode(of: $0, in: report) }
            ?? failed.first { $0.isPrimary && $0.state == .failed }?.lastExit?.shellCode
        let text = FailureReport(
            failed: failed, all: report.sidecars, lastLines: LogAccess.lastLines(of: failed, in: context),
            selector: context.selector, isTakenDown: try deciding != nil || takesDownWhatStarted(),
            columns: Terminal.columnsOfErrors)
        Console.printError(text.lines(terminal.palette).joined(separator: "\n"))
        let list = failed.map { "\($0.name) is \($0.state.rawValue): \($0.reason)" }.joined(separator: "; ")
        ready?.say(.failed(code: deciding ?? ExitCode.failed.rawValue, reason: list))
        if let deciding { return try takeDown(presses: 0, code: deciding) }
        return try leave(with: .failed)
    }

    func giveUp() throws -> Int32 {
        screen.clear()
        var silence: String?
        var known = view.instances
        do throws(ControlError) {
            known = try client.call(Status.self, .init()).sidecars
        } catch {
            guard error.code == .timeout else { throw error }
            silence = error.message
        }
        let instances = known.filter { Self.counts($0, of: wanted) }
        let late = instances.filter { Goal.healthy.progress(of: [$0]) != .reached }
        let lines = LateReport(.healthy, late, in: context).lines(terminal.palette)
        let standstills = [silence, LivingSidecars.keeperStandstill(in: context.location)].compactMap(\.self)
        Console.printError((lines + standstills).joined(separator: "\n"))
        let list = late.map { "\($0.name) is \($0.state.rawValue)" }.joined(separator: ", ")
        ready?.say(.failed(code: ExitCode.timeout.rawValue, reason: "not healthy in time: \(list)"))
        return try leave(with: .timeout)
    }

    /// Nothing would be left that ends what was started, which stays otherwise.
    private func takesDownWhatStarted() throws -> Bool {
        if FirstProcess.isUs { return true }
        guard case .input = options.binding else { return false }
        return try stillHoldsLease()
    }

    private func leave(with code: ExitCode) throws -> Int32 {
        if try takesDownWhatStarted() { return try takeDown(presses: 0, code: code.rawValue) }
        switch options.binding {
        case .none, .input: break
        case .command: try release()
        case .owner(let owner):
            guard try stillHoldsLease() else { break }
            Console.printError("what runs stays up as long as the process with pid \(owner.pid)")
        }
        return code.rawValue
    }

    /// The project no longer ends with this command.
    private func release() throws {
        guard isHolder, let lease else { return }
        do throws(ControlError) {
            _ = try client.call(
                Lease.self, .init(action: .release, token: lease.token, client: lease.identity))
        } catch {
            guard error.code == .timeout else { throw error }
            // It was told all the same, and may take that up when it goes on.
            Console.printError("nobody answers for what runs, which may end with this command")
            return
        }
        isHolder = false
        Console.printError("what runs stays up; 'orchestrate down\(context.selector)' ends it")
    }

    /// `--exit-code-from`: its end is the project's.
    func codeOfTheOneThatDecides() throws -> Int32? {
        guard let name = options.exitCodeFrom else { return nil }
        let named = view.instances(named: name)
        guard !named.isEmpty else { throw context.unknownSidecar(name, among: view.sidecarNames) }
        guard named.allSatisfy(Self.hasEnded) else { return nil }
        let report = try client.call(Status.self, .init())
        let wasStopped = named.contains { $0.state == .stopped }
        // Where all goes down it is stopped too, and whoever asked for that decides.
        guard !wasStopped || report.phase == .running else { return nil }
        // Stopped before it was ever run, it has done nothing that could be called a success.
        let code = exitCode(of: name, in: report) ?? (wasStopped ? ExitCode.failed.rawValue : 0)
        if wasStopped { screen.say("\(name) was stopped, and the project ends with it") }
        return try takeDown(presses: 0, code: code)
    }

    /// Somebody's stop is an end too; what only stops on the way to its next life is wanted.
    private static func hasEnded(_ instance: InstanceReport) -> Bool {
        switch instance.state {
        case .completed, .failed: true
        case .stopped: !instance.isWanted
        case .waiting, .starting, .healthy, .unhealthy, .stopping, .backoff, .blocked, .scheduled: false
        }
    }

    private func exitCode(of name: String, in report: ProjectReport) -> Int32? {
        ProjectView(report).instances(named: name).compactMap { $0.lastExit?.shellCode }.max()
    }

    /// What came to its final end before the supervision was lost has decided already. What ends because of the loss
    /// ends at our signal: its code would say that all went well.
    ///
    /// Nil: nothing has.
    var codeAfterLoss: Int32? {
        let deciding = view.instances.filter { $0.isPrimary || $0.sidecar == options.exitCodeFrom }
        guard !deciding.isEmpty else { return nil }
        // By the journal: what the supervisor said last may not have come through.
        let rows = (try? StateStore(reading: context.location.journalPath).instances(withEnded: true)) ?? []
        let codes = rows.compactMap { row -> Int32? in
            let isFinal = row.state == .completed || row.state == .failed
            let isDeciding = deciding.contains { $0.sidecar == row.sidecar && $0.replica == row.replica }
            return isFinal && isDeciding ? row.lastExit?.shellCode : nil
        }
        return codes.max()
    }

    func takeDown(presses: Int, code: Int32) throws -> Int32 { try takeDown(presses: presses, code: .fixed(code)) }

    func takeDown(presses: Int, code: Code) throws -> Int32 {
        screen.clear()
        context.patience.deadline = nil
        var primaries: Set<String> = []
        let usual: Int32
        switch code {
        case .fixed(let code): usual = code
        case .ofPrimary(let otherwise):
            usual = otherwise
            guard FirstProcess.isUs else { break }
            let known = (try? client.call(Status.self, .init()).sidecars) ?? view.instances
            primaries = Set(known.filter(\.isPrimary).map(\.name))
        }
        ready?.say(.failed(code: usual, reason: "the project was taken down before all was healthy"))
        let down = DownSession(
            context: context, client: client, terminal: terminal, signals: signals, presses: presses, noting: primaries)
        let result = try down.run()
        guard result == 0 else { return result }
        return down.exits.values.map(\.shellCode).max() ?? usual
    }
}
