import ControlAPI
import ManifestLoading
import Planning
import SidecarModel
import StateStore
import Supervision
import SupervisorDaemon

/// `up --dry-run`: the manifest's problems, and what is running that should not be. Touches nothing.
struct DryRun {
    let context: ProjectContext
    let names: [String]

    func run() throws {
        let loaded = context.diagnosed()
        Applying.show(loaded.diagnostics)
        guard let plan = loaded.plan else {
            throw CommandFailure(exitCode: ExitCode.invalidManifest.rawValue)
        }
        if let unknown = plan.unknown(among: names) { throw CommandFailure(.unknownSidecar, unknown.sentence) }
        let lines = plan.sidecars(wanted: names).flatMap { findings(on: $0, in: plan) }
        Console.print(lines.isEmpty ? "nothing stale is running" : lines.joined(separator: "\n"))
    }

    private func findings(on spec: SidecarSpec, in plan: Plan) -> [String] {
        guard let executable = spec.privileges.staleExecutable else { return [] }
        let search = StaleSearch(
            executable: executable, user: spec.privileges.user, project: plan.project.name, sidecar: spec.name,
            ownNonce: StaleSearch.nonce(ofRecordsAt: context.location.spawnRecordsPath),
            others: context.location.othersByNonce)
        let result = search.run()
        return result.found.map { "\(spec.name): would end \($0.sentence)".terminalSafe }
            + result.leftAlone.map { "\(spec.name): leaves \($0.process.sentence) alone: \($0.reason)".terminalSafe }
    }
}

extension Plan {
    /// Those named and what they need; all when none is named.
    fileprivate func sidecars(wanted names: [String]) -> [SidecarSpec] {
        if names.isEmpty { return sidecars }
        let isWanted = closure(of: names)
        return sidecars.indices.filter { isWanted[$0] }.map { sidecars[$0] }
    }
}
