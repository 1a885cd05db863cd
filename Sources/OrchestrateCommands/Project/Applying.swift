import ControlAPI
import ControlClient
import DiagnosticRendering
import FoundationEssentials
import Glibc
import SidecarModel
import StateStore

/// Hands the manifest over, and prints what is wrong with it.
struct Applying {
    let context: ProjectContext
    var names: [String]
    var refreshesEnvironment: Bool
    var attachment: Apply.Attachment
    /// The sidecar of `--exit-code-from`.
    var awaited: String?
    /// Of who wants to hear what becomes of it.
    var subscription: Subscribe.Parameters?

    struct Outcome {
        var client: ControlClient
        var answer: Apply.Answer
        /// What those who subscribed know. Nil: nobody did, or the supervisor was lost after its answer.
        var view: ProjectView?
    }

    /// Answers with a connection on which it was taken up. A supervisor that dies under it is started again and asked
    /// again: applying twice is applying once.
    func run() throws -> Outcome {
        let preparation = try ManifestPreparation(of: context, names: names)
        let parameters = parameters(preparation.secrets)
        lazy var request = ControlClient.Prepared(Apply.self, parameters)
        let outcome = try context.outlivingLosses {
            let connection = try context.connectOrStart(isGuarded: isLeased) {
                _ = request
                Rehearsal.ofClient()
            }
            do throws(ControlError) {
                return try apply(request, on: connection)
            } catch {
                guard error.code != .noSupervisor else { throw error }
                throw refusal(error, by: connection)
            }
        } afterEach: {
            // A keeper that gives up says so by its end: another one would come to no other.
            _ = try context.returned()
            if LivingSidecars.supervisionWasGivenUp(in: context.location) { throw context.supervisionGivenUp }
            return nil
        }
        Self.show(preparation.diagnostics + outcome.answer.diagnostics)
        if let warning = outcome.answer.unstored { Console.printError("warning: \(warning.terminalSafe)") }
        for limit in outcome.answer.loweredLimits ?? [] {
            Console.printError(
                "warning: sidecars get the limit '\(limit.name.rawValue)' as \(limit.shown), not this command's: the "
                    + "supervisor may not raise it. To raise it: 'orchestrate down', then 'orchestrate up'")
        }
        return outcome
    }

    private func refusal(_ error: ControlError, by connection: SupervisorStarter.Connection) -> CommandFailure {
        // A supervisor that was started for this has nothing to supervise.
        if connection.isFresh, !LivingSidecars.exist(in: context.location) { dismiss(connection.client) }
        guard error.code == .invalidManifest else { return CommandFailure(error) }
        Self.show(context.diagnostics(refusing: error.diagnostics))
        return CommandFailure(ControlError(.invalidManifest, error.diagnostics.isEmpty ? error.message : ""))
    }

    private func apply(
        _ request: ControlClient.Prepared<Apply>, on connection: SupervisorStarter.Connection
    ) throws(ControlError) -> Outcome {
        let client = connection.client
        // A new project is empty: who hears every event from its beginning needs no list of what is there.
        var empty: ProjectReport?
        let answer: Apply.Answer
        if let subscription, connection.isFresh {
            // Both are on their way before the first is answered.
            let subscribing = try client.send(Subscribe.self, subscription)
            let applying = try client.send(request)
            empty = try client.answer(to: subscribing, of: Subscribe.self, for: .asLongAsItTakes).project
            answer = try client.answer(to: applying, of: Apply.self, for: .asLongAsItTakes)
        } else {
            answer = try client.answer(to: try client.send(request), of: Apply.self, for: .asLongAsItTakes)
        }
        var outcome = Outcome(client: client, answer: answer)
        if var empty, !answer.created.isEmpty {
            // Before there was a plan, it was called by its identity.
            if let name = answer.project { empty.project = name }
            outcome.view = ProjectView(empty, created: answer.created, wanted: Set(answer.summary.wanted))
        } else if let subscription {
            do throws(ControlError) {
                outcome.view = ProjectView(try client.call(Subscribe.self, subscription).project)
            } catch {
                // It was taken up: to ask again might begin anew what is over.
                guard error.code == .noSupervisor else { throw error }
            }
        }
        return outcome
    }

    private var isLeased: Bool {
        switch attachment {
        case .foreground, .bound: true
        case .detached, .unchanged: false
        }
    }

    private func dismiss(_ client: ControlClient) {
        guard let report = try? client.call(Status.self, .init()) else { return }
        let end = ProjectEnd(report)
        _ = try? client.call(Down.self, .init())
        end.wait()
    }

    private func parameters(_ secrets: [String: Data]) -> Apply.Parameters {
        Apply.Parameters(
            manifest: context.manifest ?? "", workingDirectory: context.workingDirectory,
            environment: context.environment, umask: ProcessEnvironment.umask(), limits: ProcessEnvironment.limits(),
            names: names, refreshesEnvironment: refreshesEnvironment, attachment: attachment,
            secrets: secrets.isEmpty ? nil : secrets, awaited: awaited)
    }

    static func show(_ diagnostics: [Diagnostic]) {
        guard !diagnostics.isEmpty else { return }
        let terminal = Terminal(descriptor: STDERR_FILENO, environment: ProcessEnvironment.variables())
        let text = diagnosticText(diagnostics, colour: terminal.usesColor)
        Console.write(text.hasSuffix("\n") ? text : text + "\n", to: STDERR_FILENO)
    }
}
