/// What commands exit with, beside 0 and the codes of other programs.
package enum ExitCode: Int32, Hashable, Sendable, CaseIterable {
    case failed = 1
    case invalidManifest = 3
    case unknownSidecar = 4
    case noSupervisor = 5
    case timeout = 6
    case conflict = 7
    case usage = 64
    case bug = 70
    case interrupted = 130
}
