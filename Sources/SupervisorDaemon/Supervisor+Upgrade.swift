import CProcess
import ControlAPI
import Glibc
import Reconciliation
import StateStore
import Supervision

// Making room for a supervisor, and a keeper, of another version.
extension Supervisor {
    /// Checks that the new programs can go on with what there is, hands them to the keeper, and ends. Whatever happens
    /// on the way, the keeper starts a supervisor: the new one, or us again.
    func upgrade(_ parameters: Upgrade.Parameters) throws(ControlError) -> Acknowledgement {
        guard host.hasKeeper else {
            throw ControlError(.conflict, "the project has no keeper that could be replaced; take it down and up again")
        }
        guard !engine.reconciler.isShuttingDown else {
            throw ControlError(.conflict, "the project is going down; bring it up with the new program")
        }
        try check(parameters.versions)
        let program = try openProgram(parameters.program)
        defer { close(program) }
        let keeper = try openProgram(parameters.keeper)
        defer { close(keeper) }
        engine.goodRuns.store()
        host.upgrade(program: program, keeper: keeper)
        // The answer goes out at the end of this turn. What is not written of the logs is still in their FIFOs.
        _ = loop.schedule(at: loop.now) { [loop] in loop.stop() }
        return Acknowledgement()
    }

    private func check(_ versions: Upgrade.Versions) throws(ControlError) {
        guard versions.records == ORCH_RECORDS_VERSION, versions.handover == ORCH_HANDOVER_VERSION else {
            throw ControlError(
                .conflict,
                "the new program keeps its records in another way (records \(versions.records), handover "
                    + "\(versions.handover); these are \(ORCH_RECORDS_VERSION) and \(ORCH_HANDOVER_VERSION)); "
                    + "take the project down and up again with it")
        }
        guard versions.store >= StateStore.schemaVersion else {
            throw ControlError(
                .conflict,
                "the other program reads journals up to version \(versions.store), and this one is of version "
                    + "\(StateStore.schemaVersion); to go back to it take the project down and move the journal away "
                    + "(mv '\(location.journalPath)' '\(location.journalPath).newer'): history and restart counts are lost"
            )
        }
    }

    private func openProgram(_ path: String) throws(ControlError) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        var facts = stat()
        guard descriptor >= 0, fstat(descriptor, &facts) == 0 else {
            let reason = SystemError.message(for: errno)
            if descriptor >= 0 { close(descriptor) }
            throw ControlError(.failed, "cannot open \(path): \(reason)")
        }
        guard facts.st_mode & S_IFMT == S_IFREG, access(path, X_OK) == 0 else {
            close(descriptor)
            throw ControlError(.failed, "\(path) is no program that can be executed")
        }
        return descriptor
    }
}
