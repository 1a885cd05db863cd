import ArgumentParser
import ControlAPI
import StateStore
import Supervision

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Examine the machine and the state of all projects, and say how to mend what is wrong.",
        discussion: """
            Kernel features are found by trying them. Nothing that runs is touched or signalled.
            Exits with 1 when something is wrong; with --leaks, when anything is left over.

            Examples:
              orchestrate doctor
              orchestrate doctor --leaks
              orchestrate doctor --json | jq '.findings[] | select(.verdict != "good")'
            """)

    @Flag(help: "List processes and FIFOs that were made for a sidecar and belong to no living supervisor.")
    var leaks = false

    @Flag(help: "Print JSON.")
    var json = false

    private struct Examination: Encodable {
        var version = Version.number
        var kernel = Kernel.release
        var findings: [Finding]
    }

    private struct LeakList: Encodable {
        var leaks: [Leak]
        var fifos: [String]
    }

    func run() throws {
        let environment = ProcessEnvironment.variables()
        let root = try ProjectContext.root(environment, ProcessEnvironment.workingDirectory(environment))
        let palette = Terminal(environment: environment).palette
        let (left, projects) = LeakSearch.run { KnownProject.all(below: root) }
        let fifos = FifoLeftovers.find()
        if leaks {
            Console.print(
                json
                    ? WireFormat.json(LeakList(leaks: left, fifos: fifos), pretty: true)
                    : FindingText.lines(left, fifos: fifos, palette: palette).joined(separator: "\n"))
            if !left.isEmpty || !fifos.isEmpty { throw CommandFailure(.failed) }
            return
        }
        let findings =
            KernelExamination.findings() + LimitExamination.findings() + StateExamination.findings(of: root)
            + ProjectExamination.findings(of: projects, root: root) + Self.findings(on: left, fifos)
        Console.print(
            json
                ? WireFormat.json(Examination(findings: findings), pretty: true)
                : FindingText.lines(findings, palette: palette).joined(separator: "\n"))
        if findings.contains(where: { $0.verdict == .wrong }) { throw CommandFailure(.failed) }
    }

    private static func findings(on leaks: [Leak], _ fifos: [String]) -> [Finding] {
        guard !fifos.isEmpty else { return [finding(on: leaks)] }
        return [
            finding(on: leaks),
            .notice(
                "processes", "FIFOs", LeakSearch.sentence(on: fifos),
                remedy: "\(LeakSearch.remedyForFIFOs); orchestrate doctor --leaks lists them"),
        ]
    }

    private static func finding(on leaks: [Leak]) -> Finding {
        guard !leaks.isEmpty else { return .good("processes", "leftovers", "none") }
        let pids = leaks.prefix(10).map { String($0.pid) }.joined(separator: ", ")
        let rest = leaks.count > 10 ? " and \(leaks.count - 10) more" : ""
        return .wrong(
            "processes", "leftovers", "\(leaks.count) without a supervisor: \(pids)\(rest)",
            remedy: "orchestrate doctor --leaks")
    }
}
