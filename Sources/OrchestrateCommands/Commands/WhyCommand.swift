import ArgumentParser
import ControlAPI
import ControlClient
import SidecarModel
import StateStore

struct WhyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Tell why a sidecar is in its state: the chain of causes, from the journal.",
        discussion: """
            Works without a supervisor too. Of a sidecar with several instances it tells of the one that is worst off.

            Example:
              orchestrate why web
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "A sidecar, or an instance such as mcp/0.", completion: .sidecars)
    var name: String

    func run() throws {
        let context = try ProjectContext(project)
        let journal: [TransitionRow]
        let known: [InstanceRow]
        do throws(StoreError) {
            let store = try context.journal()
            journal = try store.transitions()
            known = try store.instances(withEnded: true)
        } catch .absent {
            try context.refuseReadingElsewhere()
            throw CommandFailure(
                .noSupervisor, "\(context.name) has not been up: there is nothing to tell")
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
        let parts = name.split(separator: "/", maxSplits: 1)
        let sidecar = String(parts.first ?? "")
        let replica = parts.count == 2 ? Int(parts[1]) : nil
        if parts.count == 2, replica == nil {
            throw context.unknownSidecar(name, among: Set(known.map(\.sidecar)).sorted())
        }
        let isStopping = known.contains {
            $0.sidecar == sidecar && (replica == nil || $0.replica == replica) && $0.state == .stopping
        }
        let troubled = replica == nil ? TroubledInstance(of: sidecar, among: known) : nil
        let lines = WhyChain.lines(
            for: sidecar, replica: replica ?? troubled?.replica, others: troubled?.others ?? [], journal: journal,
            isRunning: ProjectContext.runs(context.location),
            present: isStopping ? Self.present(name, in: context) : [],
            palette: Terminal(environment: context.environment).palette)
        guard !lines.isEmpty else {
            guard known.contains(where: { $0.sidecar == sidecar && (replica == nil || $0.replica == replica) }) else {
                throw context.unknownSidecar(name, among: Set(known.map(\.sidecar)).sorted())
            }
            return Console.print("nothing has happened to \(name.terminalSafe) yet")
        }
        Console.print(lines.joined(separator: "\n"))
    }

    /// Whom a stop waits for is no step on the way there, and so not in the journal. Empty: nobody can be asked.
    private static func present(_ name: String, in context: ProjectContext) -> [InstanceReport] {
        guard let client = (try? context.running()) ?? nil else { return [] }
        return (try? client.call(Status.self, .init(names: [name])).sidecars) ?? []
    }
}
