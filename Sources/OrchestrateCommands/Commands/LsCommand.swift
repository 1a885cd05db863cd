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
        /// Nil: nobody says.
        var healthy: Int?
        var wanted: Int?
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
                .init(called(entry, among: entries)), .init(entry.phase, entry.phase == "running" ? .green : .dim),
                .init(ready(entry)), .init(entry.manifest),
            ])
        }
        Console.print(table.lines(Terminal(environment: environment).palette).joined(separator: "\n"))
    }

    /// A name that several have is followed by the id that tells them apart. One without has its manifest beside it.
    private func called(_ entry: Entry, among entries: [Entry]) -> String {
        let isUnique = entries.count { $0.project == entry.project } == 1
        let hasID = entry.identity != entry.manifest && entry.identity != entry.project
        return isUnique || !hasID ? entry.project : "\(entry.project) (\(entry.identity))"
    }

    private func ready(_ entry: Entry) -> String {
        guard entry.phase != ProjectReport.Phase.stopped.rawValue, let healthy = entry.healthy,
            let wanted = entry.wanted
        else { return "-" }
        return "\(healthy)/\(wanted)"
    }

    private func entry(for location: ProjectLocation) -> Entry? {
        /// Of a supervisor that lives, and does not say how the project is.
        var silence: String?
        let standstill = LivingSidecars.keeperStandstill(in: location)
        if let standstill { Console.printError("\(location.identity): \(standstill)".terminalSafeLines) }
        do throws(ControlError) {
            let patience = Patience(timeout: .seconds(2))
            if let client = try ControlClient(socketPath: location.socketPath, patience: patience) {
                return entry(try client.call(Status.self, .init(), for: .atMost(.seconds(2))), location)
            }
        } catch  where error.code == .timeout || error.code == .conflict {
            silence = error.code == .timeout ? "supervisor-silent" : "supervisor-full"
            Console.printError("\(location.identity): \(error.message)".terminalSafeLines)
        } catch {
            // It is as good as none.
        }
        let isLeftOver = LivingSidecars.exist(in: location)
        // Nor does one answer for which a keeper is there that does nothing.
        if standstill != nil { silence = silence ?? "supervisor-silent" }
        guard isLeftOver || silence != nil || (all && ProjectContext.hasBeenUp(location)) else { return nil }
        let phase =
            if let silence {
                silence
            } else if !isLeftOver {
                ProjectReport.Phase.stopped.rawValue
            } else if LivingSidecars.haveBrokenSupervisor(in: location) {
                ProjectReport.Phase.supervisorBroken.rawValue
            } else {
                ProjectReport.Phase.unsupervised.rawValue
            }
        let isUnknown = isLeftOver || silence != nil
        let row = (try? StateStore(reading: location.journalPath).project()) ?? nil
        return Entry(
            project: row?.name ?? location.identity, identity: location.identity, phase: phase,
            healthy: isUnknown ? nil : 0, wanted: isUnknown ? nil : 0,
            manifest: row?.manifest ?? "-", stateDirectory: location.stateDirectory)
    }

    private func entry(_ report: ProjectReport, _ location: ProjectLocation) -> Entry {
        let wanted = report.sidecars.filter(\.isWanted)
        return Entry(
            project: report.project, identity: report.identity, phase: report.phase.rawValue,
            healthy: wanted.count(where: \.isReady), wanted: wanted.count,
            manifest: report.manifest, stateDirectory: location.stateDirectory)
    }
}
