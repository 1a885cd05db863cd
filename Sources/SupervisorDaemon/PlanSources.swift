import FoundationEssentials
import ManifestLoading
import Planning
package import SidecarModel
package import StateStore
import Synchronization

/// What a plan was made from: enough to make the same plan again when its files have changed or are gone.
///
/// An `up` of all replaces the layers by one; `up a b` lays its own over what was.
struct PlanSources: Codable {
    struct Layer: Codable {
        var manifest: String
        var workingDirectory: String
        var environment: [String: String]
        /// Empty: all.
        var names: [String]
        /// Every file that was read, by absolute path, without what a secret comes from. Those that were not there are
        /// missing.
        var files: [String: String]
        /// What paths were without symbolic links.
        var canonicalPaths: [String: String]
    }

    var layers: [Layer]

    mutating func add(_ layer: Layer) {
        if layer.names.isEmpty { layers = [] }
        layers.append(layer)
    }

    /// The plan as it was. Nil when this version of the program can make none of one of the layers. What it only finds
    /// fault with by now was right when it was applied, and runs.
    func makePlan() -> Plan? {
        var plan: Plan?
        for layer in layers {
            let files = RecordedFiles(
                directory: layer.workingDirectory, contents: layer.files, canonicalPaths: layer.canonicalPaths)
            // What it was made of is all there; whether the machine still is as it was is not asked.
            let options = LoadOptions(checksHost: false, readsFiles: true, toleratesErrors: true)
            let loaded = loadManifest(
                path: layer.manifest, environment: layer.environment, options: options, files: files)
            guard let new = loaded.plan else { return nil }
            guard let old = plan, !layer.names.isEmpty else {
                plan = new
                continue
            }
            guard let merged = try? old.replacing(layer.names, from: new) else { return nil }
            plan = merged
        }
        return plan
    }

    var encoded: [UInt8] {
        // Strings and arrays of them: there is nothing that could fail to be encoded.
        (try? JSONEncoder().encode(self)).map { [UInt8]($0) } ?? []
    }

    init() { layers = [] }

    init?(encoded bytes: [UInt8]) {
        guard let decoded = try? JSONDecoder().decode(PlanSources.self, from: Data(bytes)) else { return nil }
        self = decoded
    }
}

/// Reads the host's files and keeps what it read.
final class RecordingFiles: FileReading {
    private let host = HostFiles()
    private let recorded = Mutex<[String: [UInt8]]>([:])
    private let canonical = Mutex<[String: String]>([:])
    let currentDirectory: String

    private let resourceObstacle: (ResourceSpec) -> String?

    init(directory: String, resourceObstacle: @escaping (ResourceSpec) -> String?) {
        currentDirectory = directory
        self.resourceObstacle = resourceObstacle
    }

    var abilities: HostAbilities? { host.abilities }
    func obstacle(to resources: ResourceSpec) -> String? { resourceObstacle(resources) }

    /// The manifest as it was; of the environment files only what they say, without variables that hold secrets.
    func contents(manifest: String, without secretVariables: Set<String>) -> [String: String] {
        let read = recorded.withLock { $0 }
        return Dictionary(
            uniqueKeysWithValues: read.map { path, bytes in
                let isManifest = path == manifest
                return (
                    path,
                    isManifest
                        ? String(decoding: bytes, as: UTF8.self)
                        : environmentFileText(bytes, without: secretVariables)
                )
            })
    }
    var canonicalPaths: [String: String] { canonical.withLock { $0 } }

    /// Asked once for each: all sidecars of a manifest may share a directory.
    func canonicalPath(_ path: String) -> String? {
        if let known = canonical.withLock({ $0[path] }) { return known }
        guard let found = host.canonicalPath(path) else { return nil }
        canonical.withLock { $0[path] = found }
        return found
    }

    func read(_ path: String, limit: Int) throws(FileReadFailure) -> [UInt8] {
        let bytes = try host.read(path, limit: limit)
        recorded.withLock { $0[path] = bytes }
        return bytes
    }

    func kind(of path: String) -> FileKind? { host.kind(of: path) }
}

/// The files of an earlier reading, and no others.
private struct RecordedFiles: FileReading {
    let directory: String
    let contents: [String: String]
    let canonicalPaths: [String: String]

    var currentDirectory: String { directory }

    func canonicalPath(_ path: String) -> String? { canonicalPaths[path] }

    func read(_ path: String, limit: Int) throws(FileReadFailure) -> [UInt8] {
        guard let text = contents[path] else { throw .notFound }
        return [UInt8](text.utf8)
    }

    func kind(of path: String) -> FileKind? { contents[path] == nil ? nil : .file(isExecutable: false) }
}

extension ProjectRow {
    /// What the last `up` declared, in the manifest's order. Empty: this version of the program can't read it.
    package var declaredSidecars: [(name: String, kind: SidecarSpec.Kind)] {
        PlanSources(encoded: plan)?.makePlan()?.sidecars.map { ($0.name, $0.kind) } ?? []
    }
}
