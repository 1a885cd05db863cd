import ControlAPI
import ControlClient
import Glibc
import SidecarModel
import StateStore

/// What leads to an attachment. The supervisor may be lost at any moment of it: as long as its keeper lives, it is
/// started again, and asked again.
struct Handshake {
    enum Attachment {
        /// To the one process there is.
        case shared(AttachSession)
        /// A process of our own.
        case own(ClientProcess)
    }

    private static let patience = Duration.seconds(10)

    let context: ProjectContext

    func attachment(to name: String, linger: Duration) throws -> Attachment {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            do {
                let client = try context.connect()
                let found = try client.call(Status.self, .init(names: [name])).sidecars
                if found.count == 1, found[0].socket != nil {
                    return .own(try ClientProcess(context, of: found[0]))
                }
                return .shared(
                    try AttachSession(context, client, name: name, seen: found.first, linger: linger))
            } catch  where Self.isLoss(error) && .now < deadline && isSupervised {
                poll(nil, 0, 20)
            } catch is ClientProcess.Lost {
                throw CommandFailure(
                    .failed,
                    "cannot attach to '\(name)': its supervisor does not answer; see \(context.location.supervisorLogPath)"
                )
            }
        }
    }

    /// A keeper is there to start another supervisor.
    private var isSupervised: Bool { SupervisorStarter.isHeld(context.location.lockPath) }

    private static func isLoss(_ error: any Error) -> Bool {
        switch error {
        case let error as ControlError: error.code == .noSupervisor
        case let failure as CommandFailure: failure.exitCode == ExitCode.noSupervisor.rawValue
        case is ClientProcess.Lost: true
        default: false
        }
    }
}
