import ControlAPI
import ControlClient
import Glibc
import StateStore
import Supervision

// A project that keeps its state in another place than this command looks at: beside it nothing may be started, and of it
// nothing may be denied.
extension ProjectContext {
    /// Throws when the project runs, but keeps its state in another place than this command looks at.
    func refuseElsewhere() throws {
        guard let beacon = BeaconFinder.beacon(ofProject: location.identity) else { return try refuseLostElsewhere() }
        let elsewhere = beacon.stateDirectory
        guard elsewhere != location.stateDirectory else { return try awaitEndOfDisowned() }
        throw runsAlready(in: elsewhere)
    }

    /// The same for who only reads what was written, and has nothing to wait for.
    func refuseReadingElsewhere() throws {
        guard let beacon = BeaconFinder.beacon(ofProject: location.identity) else { return try refuseLostElsewhere() }
        guard beacon.stateDirectory != location.stateDirectory else { return }
        throw runsAlready(in: beacon.stateDirectory)
    }

    /// The same where its supervisor is lost, or waits before it is started again, and its sidecars are not: they are known
    /// there alone.
    private func refuseLostElsewhere() throws {
        for state in FifoOwners.stateDirectories() where state != location.stateDirectory {
            guard ProjectLocation.identity(keptIn: state) == location.identity else { continue }
            let there = ProjectLocation(identity: location.identity, stateDirectory: state)
            if LivingSidecars.surelyExist(in: there) { throw runsAlready(in: state) }
        }
    }

    private func runsAlready(in elsewhere: String) -> CommandFailure {
        let root = ProjectLocation(identity: location.identity, stateDirectory: elsewhere).root
        return CommandFailure(
            .conflict,
            """
            \(name) runs already, with its state in \(elsewhere)
            Use it from there: ORCHESTRATE_STATE_DIR=\(root)
            """)
    }

    /// One whose state directory was deleted under it finds out and ends in order. Another one beside it would start
    /// everything a second time.
    private func awaitEndOfDisowned() throws {
        // Whoever has a state directory holds its lock.
        guard !SupervisorStarter.isHeld(location.lockPath) else { return }
        for _ in 0..<1500 {
            guard let beacon = BeaconFinder.beacon(ofProject: location.identity) else { return }
            guard beacon.stateDirectory == location.stateDirectory else { return try refuseElsewhere() }
            try checkPatience()
            poll(nil, 0, 20)
        }
        guard let beacon = BeaconFinder.beacon(ofProject: location.identity) else { return }
        throw CommandFailure(
            .conflict,
            """
            \(name) still runs, though its state directory \(location.stateDirectory) was deleted
            It is being brought down. To ask it again: kill \(beacon.supervisor)
            """)
    }
}
