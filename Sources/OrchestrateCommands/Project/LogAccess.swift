import ControlAPI
import FoundationEssentials
import Glibc
import Planning
import StateStore
import Supervision

/// Where the logs of a project are, with or without a supervisor.
struct LogAccess {
    let location: ProjectLocation
    /// Sidecars whose manifest says where.
    private let directories: [String: String]
    /// In manifest order: what has, or may have, a log.
    let instances: [LogInstance]

    init(_ location: ProjectLocation) throws(StoreError) {
        self.location = location
        let store = try StateStore(reading: location.journalPath)
        let plan = try store.project().flatMap { try? JSONDecoder().decode(Plan.self, from: Data($0.plan)) }
        var directories: [String: String] = [:]
        var instances: [LogInstance] = []
        for sidecar in plan?.sidecars ?? [] {
            if let directory = sidecar.logs.directory { directories[sidecar.name] = directory }
            for replica in 0..<max(1, sidecar.replicas) {
                instances.append(LogInstance(sidecar: sidecar.name, replica: replica))
            }
        }
        self.directories = directories
        self.instances = instances
    }

    func directory(of instance: LogInstance) -> String { directories[instance.sidecar] ?? location.logsDirectory }

    /// As people write it: the replica only where there are several.
    func name(of instance: LogInstance) -> String {
        let hasSiblings = instances.contains { $0.sidecar == instance.sidecar && $0.replica > 0 }
        return hasSiblings ? "\(instance.sidecar)/\(instance.replica)" : instance.sidecar
    }

    /// The last words of those that failed, by instance name. Empty where there are none, or no log can be read.
    static func lastLines(of reports: [InstanceReport], in context: ProjectContext, count: Int = 10) -> [String: [String]] {
        guard let access = try? LogAccess(context.location) else { return [:] }
        var lines: [String: [String]] = [:]
        for report in reports {
            let instance = LogInstance(sidecar: report.sidecar, replica: report.replica)
            lines[report.name] = access.lastLines(of: instance, count: count)
        }
        return lines
    }

    func lastLines(of instance: LogInstance, count: Int) -> [String] {
        let descriptor = open(directory(of: instance) + "/" + instance.fileName, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        let length = min(size, 65_536)
        guard length > 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: length)
        let read = pread(descriptor, &buffer, length, size - off_t(length))
        guard read > 0 else { return [] }
        let lines = buffer[..<read].split(separator: UInt8(ascii: "\n")).suffix(count * 2)
        return lines.map { line in line.withUnsafeBytes { LogLine(parsing: $0) } }
            .filter { $0.stream != .system }.suffix(count).map(\.string)
    }
}
