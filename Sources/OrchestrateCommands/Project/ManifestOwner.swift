import StateStore
import Synchronization

/// Which of the projects that are known a manifest describes: that one's ports are in use as they should be.
final class ManifestOwner: Sendable {
    /// Absolute. Nil: nobody knows where its text came from.
    private let path: String?
    private let id: @Sendable () -> String?
    private let root: StateRoot?
    /// By state directory.
    private let known = Mutex<[String: Bool]>([:])

    /// - Parameter path: of the manifest, absolute.
    init(path: String, environment: [String: String], root: StateRoot?) {
        self.path = path
        id = { ManifestIdentity.id(ofManifestAt: path, environment: environment) }
        self.root = root
    }

    /// Of a text that was handed over. Without an `id` it is nobody's.
    /// - Parameter directory: where relative paths in it start.
    init(text: [UInt8], shownAs file: String, in directory: String, environment: [String: String], root: StateRoot?) {
        path = nil
        id = { ManifestIdentity.id(in: text, shownAs: file, directory: directory, environment: environment) }
        self.root = root
    }

    func isProject(in stateDirectory: String) -> Bool {
        if let answer = known.withLock({ $0[stateDirectory] }) { return answer }
        let answer = findOut(stateDirectory)
        known.withLock { $0[stateDirectory] = answer }
        return answer
    }

    private func findOut(_ stateDirectory: String) -> Bool {
        guard let project = root?.projects().first(where: { $0.stateDirectory == stateDirectory }) else { return false }
        if let path, project.identity == path || ProjectContext.lastManifest(of: project) == path { return true }
        return project.identity == id()
    }
}
