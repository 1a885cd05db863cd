import ArgumentParser
import ControlAPI
import ControlClient
import Glibc
import ManifestLoading
import StateStore
import Supervision
import SupervisorDaemon

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write what is known of a sidecar into a directory, to attach to a bug report.",
        discussion: """
            Last lines, exit, ports, health checks, what changed since it was last well, the journal, versions. Of the
            environment only the names. Log lines stand as they were written: read them before you pass them on.
            Works without a supervisor. Of a sidecar with several instances it tells of the one that is worst off. One is written by itself whenever a sidecar fails; the newest three are kept.

            Examples:
              orchestrate report worker
              orchestrate report mcp/1 -o ~/Desktop
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "A sidecar, or an instance such as mcp/0.", completion: .sidecars)
    var name: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The directory to make, or an existing one to put it into. Default: here.", valueName: "path"),
        completion: .directory)
    var output: String?

    private struct Written: Encodable {
        var report: String
        var earlier: [String]
    }

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let context = try ProjectContext(project)
        let parts = name.split(separator: "/", maxSplits: 1)
        let sidecar = String(parts.first ?? "")
        guard let replica = parts.count == 2 ? Int(parts[1]) : worstOff(of: sidecar, in: context) else {
            throw CommandFailure(.unknownSidecar, "there is no instance '\(name)'; write it as \(sidecar)/0")
        }
        let stem = LogInstance(sidecar: sidecar, replica: replica).stem
        var source = CrashReportSource(context.location, sidecar: sidecar, replica: replica)
        if let report = try? context.running()?.call(Status.self, .init(withUsage: true)) {
            source.live = report.sidecars.first { $0.sidecar == sidecar && $0.replica == replica }
            source.containment = report.containment
        }
        let path = destination(stem, context)
        umask(0o077)
        do throws(CrashReportError) {
            try source.write(to: path)
        } catch .unknown {
            throw CommandFailure(
                .unknownSidecar, "nothing is known of '\(name)': it was never started in \(context.name)")
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
        let kept = context.location.reportsDirectory
        let earlier = ReportName.reports(of: stem, in: kept).map { "\(kept)/\($0)" }
        if json { return Console.print(WireFormat.json(Written(report: path, earlier: earlier), pretty: true)) }
        Console.print(path.terminalSafe)
        if let last = earlier.last { Console.print("written when it failed last: \(last)".terminalSafe) }
    }

    private func worstOff(of sidecar: String, in context: ProjectContext) -> Int {
        let known = try? StateStore(reading: context.location.journalPath).instances(withEnded: true)
        return TroubledInstance(of: sidecar, among: known ?? [])?.replica ?? 0
    }

    private func destination(_ stem: String, _ context: ProjectContext) -> String {
        let directory = ProcessEnvironment.workingDirectory(context.environment)
        let usual = "orchestrate-report.\(stem).\(ReportName.stamp())"
        guard let output else { return directory + "/" + usual }
        let path = absolutePath(output, from: directory)
        var info = stat()
        let isThere = stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
        return isThere ? path + "/" + usual : path
    }
}
