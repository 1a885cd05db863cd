import CProcess
import ControlAPI
import Glibc

/// Waits for the last two processes of a project, its supervisor and its keeper, so that nothing is left when a command
/// says that it is down.
final class ProjectEnd {
    private let descriptors: [Int32]

    /// Takes hold of both while they surely are the ones the report is about.
    init(_ project: ProjectReport) {
        descriptors = [project.supervisorPID, project.keeperPID].compactMap { pid in
            let descriptor = pid.map(orch_pidfd_open) ?? -1
            return descriptor >= 0 ? descriptor : nil
        }
    }

    deinit { descriptors.forEach { close($0) } }

    /// They end by themselves once all is down; one that doesn't is not waited for much longer. Only the first process
    /// stays as long as it takes: they would be torn away with it.
    /// - Parameter areGone: nothing of any sidecar is left, which their end would wait for.
    func wait(areGone: Bool = true) {
        let isLast = FirstProcess.isUs && areGone
        let deadline = ContinuousClock.now + .seconds(5)
        var left = descriptors
        while !left.isEmpty, isLast || deadline > .now {
            let ended = Poll.wait(for: left, timeout: isLast ? nil : deadline - .now)
            left.removeAll(where: ended.contains)
        }
    }
}
