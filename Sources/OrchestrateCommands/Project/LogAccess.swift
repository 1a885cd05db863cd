import ControlAPI
import Glibc
import ManifestLoading
import Planning
import SidecarModel
import StateStore
import Supervision

/// Where the logs of a project are, with or without a supervisor.
struct LogAccess {
    let location: ProjectLocation
    /// In manifest order as far as that can be read; then what else has left a log.
    let sources: [LogSource]

    init(_ context: ProjectContext) {
        location = context.location
        var sources: [LogSource] = []
        var sharing: [String: Set<String>] = [:]
        var left = (try? LogSource.found(in: location.logsDirectory)) ?? []
        // Only the manifest knows of `logs.dir`. Without it, what is in the usual place is all there is to find.
        if let manifest = context.manifest {
            let loaded = ProjectContext.declared(in: manifest, environment: context.environment)
            if loaded.plan == nil { left += Self.recorded(in: location) }
            for sidecar in loaded.plan?.sidecars ?? [] {
                let directory = sidecar.logs.directory ?? location.logsDirectory
                if sidecar.logs.directory != nil { sharing[directory, default: []].insert(sidecar.name) }
                for replica in 0..<sidecar.replicas {
                    let instance = LogInstance(sidecar: sidecar.name, replica: replica)
                    sources.append(LogSource(instance: instance, directory: directory))
                }
            }
        }
        for (directory, names) in sharing.sorted(by: { $0.key < $1.key }) {
            left += Self.found(in: directory, of: names)
        }
        var known = Set(sources.map(\.instance))
        self.sources = sources + left.filter { known.insert($0.instance).inserted }
    }

    /// Each once, in the order of the sources.
    var sidecars: [String] {
        var seen: Set<String> = []
        return sources.map(\.instance.sidecar).filter { seen.insert($0).inserted }
    }

    /// One that runs may have said nothing yet.
    private static func recorded(in location: ProjectLocation) -> [LogSource] {
        let rows = (try? StateStore(reading: location.journalPath).instances(withEnded: true)) ?? []
        return rows.map { row in
            LogSource(
                instance: LogInstance(sidecar: row.sidecar, replica: row.replica), directory: location.logsDirectory)
        }
    }

    /// With replicas that were scaled away. Whose the other files of such a place are nobody knows.
    private static func found(in directory: String, of sidecars: Set<String>) -> [LogSource] {
        ((try? LogSource.found(in: directory)) ?? []).filter { sidecars.contains($0.instance.sidecar) }
    }

    /// As people write them: the replica only where there are several.
    var names: [LogInstance: String] {
        let replicated = Set(sources.filter { $0.instance.replica > 0 }.map(\.instance.sidecar))
        var names: [LogInstance: String] = [:]
        for instance in sources.map(\.instance) {
            names[instance] = replicated.contains(instance.sidecar) ? "\(instance)" : instance.sidecar
        }
        return names
    }

    /// The instances a name means: itself, or all of a sidecar.
    func sources(named name: String) -> [LogSource] {
        sources.filter { $0.instance.sidecar == name || "\($0.instance)" == name }
    }

    /// The last words of those that failed, by instance name. Empty where there are none, or no log can be read.
    static func lastLines(
        of reports: [InstanceReport], in context: ProjectContext, count: Int = 10
    ) -> [String: [String]] {
        let sources = LogAccess(context).sources
        var lines: [String: [String]] = [:]
        for report in reports {
            let instance = LogInstance(sidecar: report.sidecar, replica: report.replica)
            guard let source = sources.first(where: { $0.instance == instance }) else { continue }
            lines[report.name] = lastLines(of: source, in: report.incarnation, count: count)
        }
        return lines
    }

    /// Of its last life alone: what an earlier one said is not why this one failed.
    private static func lastLines(of source: LogSource, in incarnation: UInt64, count: Int) -> [String] {
        // Between its lines may stand notes of the supervisor, and few of them.
        let query = LogQuery(last: 2 * count + 32, includesSystem: true)
        guard let reader = try? LogReader([source], query: query) else { return [] }
        var words = LastWords(of: incarnation)
        reader.read { words.take($0.line) }
        return words.lines.suffix(count)
    }
}
