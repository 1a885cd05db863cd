import ArgumentParser
import ControlAPI
import ControlClient
import SidecarModel
import StateStore

struct LsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List this user's projects, from anywhere.",
        discussion: """
            Example:
              orchestrate ls
            """)

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(name: .shortAndLong, help: "Those that don't run too.")
    var all = false

    private struct Entry: Encodable {
        var project: String
        var identity: String
        var phase: String
        var healthy: Int
        var wanted: Int
        var manifest: String
        var stateDirectory: String

        enum CodingKeys: String, CodingKey {
            case project, identity, phase, healthy, wanted, manifest
            case stateDirectory = "state_directory"
        }
    }

    func run() throws {
        let environment = ProcessEnvironment.variables()
        let root = try ProjectContext.root(environment, ProcessEnvironment.workingDirectory(environment))
        let entries = root.projects().compactMap(entry(for:))
        if json { return Console.print(WireFormat.json(entries, pretty: true)) }
        guard !entries.isEmpty else { return Console.print("no projects\(all ? "" : " are running")") }
        var table = Table("PROJECT", "STATE", "READY", "MANIFEST")
        for entry in entries {
            table.rows.append([
                .init(entry.project), .init(entry.phase, entry.phase == "running" ? .green : .dim),
                .init(entry.phase == "stopped" ? "-" : "\(entry.healthy)/\(entry.wanted)"), .init(entry.manifest),
            ])
        }
        Console.print(table.lines(Terminal(environment: environment).palette).joined(separator: "\n"))
    }

    private func entry(for location: ProjectLocation) -> Entry? {
        if let client = try? ControlClient(socketPath: location.socketPath),
            let report = try? client.call(Status.self, .init(), timeout: .seconds(2))
        {
            let wanted = report.sidecars.filter(\.isWanted)
            return Entry(
                project: report.project, identity: report.identity, phase: report.phase.rawValue,
                healthy: wanted.filter { $0.state == .healthy || $0.state == .completed }.count, wanted: wanted.count,
                manifest: report.manifest, stateDirectory: location.stateDirectory)
        }
        let isLeftOver = LivingSidecars.exist(in: location)
        let isBroken = LivingSidecars.haveBrokenSupervisor(in: location)
        let phase: ProjectReport.Phase = isBroken ? .supervisorBroken : .unsupervised
        guard all || isLeftOver else { return nil }
        let row = (try? StateStore(reading: location.journalPath).project()) ?? nil
        return Entry(
            project: row?.name ?? location.identity, identity: location.identity,
            phase: (isLeftOver ? phase : .stopped).rawValue, healthy: 0, wanted: 0,
            manifest: row?.manifest ?? "-", stateDirectory: location.stateDirectory)
    }
}
