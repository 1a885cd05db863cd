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
    /// Of a connection to a supervisor that was started for this, before it is handed the manifest.
    var beforehand: (ControlClient) throws(ControlError) -> Void = { _ throws(ControlError) in }
    /// Of the connection on which it was taken up. A supervisor that dies before it did this has taken nothing up.
    var afterwards: (ControlClient, Apply.Answer) throws(ControlError) -> Void = { _, _ throws(ControlError) in }

    /// Answers with a connection on which it was taken up. A supervisor that dies under it is started again and asked
    /// again: applying twice is applying once.
    func run() throws -> (client: ControlClient, answer: Apply.Answer) {
        let preparation = try ManifestPreparation(of: context, names: names)
        for attempt in 0... {
            let connection = try context.connectOrStart(isGuarded: isLeased)
            do {
                if connection.isFresh { try beforehand(connection.client) }
                let answer = try connection.client.call(
                    Apply.self, parameters(preparation.secrets), timeout: nil)
                try afterwards(connection.client, answer)
                Self.show(preparation.diagnostics + answer.diagnostics)
                return (connection.client, answer)
            } catch  where error.code == .noSupervisor && attempt < 20 {
                continue
            } catch {
                // A supervisor that was started for this has nothing to supervise.
                if connection.isFresh, !LivingSidecars.exist(in: context.location) {
                    dismiss(connection.client)
                }
                guard error.code == .invalidManifest else { throw CommandFailure(error) }
                Self.show(error.diagnostics)
                let reason = error.diagnostics.isEmpty ? error.message : ""
                throw CommandFailure(ControlError(.invalidManifest, reason))
            }
        }
        throw CommandFailure(.failed, "the supervisor ends again and again; see \(context.location.supervisorLogPath)")
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
            environment: context.environment, umask: ProcessEnvironment.umask(), names: names,
            refreshesEnvironment: refreshesEnvironment, attachment: attachment,
            secrets: secrets.isEmpty ? nil : secrets)
    }

    static func show(_ diagnostics: [Diagnostic]) {
        guard !diagnostics.isEmpty else { return }
        let terminal = Terminal(descriptor: STDERR_FILENO, environment: ProcessEnvironment.variables())
        let text = diagnosticText(diagnostics, colour: terminal.usesColor)
        Console.write(text.hasSuffix("\n") ? text : text + "\n", to: STDERR_FILENO)
    }
}
