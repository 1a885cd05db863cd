import ControlAPI
import FoundationEssentials
import ManifestLoading
import Planning
import SidecarModel
import Supervision

/// What is done with a manifest before it is handed over, because only this command can: secrets are read in the session
/// of whoever calls it, and users are looked up here, as that may go over a network and a supervisor must not wait.
struct ManifestPreparation {
    var secrets: [String: Data] = [:]
    /// What only this look could find.
    var diagnostics: [Diagnostic] = []

    /// Throws when the manifest has errors, after saying which, or when a secret can't be read.
    init(of context: ProjectContext, names: [String]) throws {
        guard let path = context.manifest, let text = try? HostFiles().read(path, limit: 16 << 20),
            Self.mayNeedIt(text)
        else { return }
        let files = HostFiles(resourceObstacle: { _ in nil })
        let loaded = loadManifest(path: path, environment: context.environment, files: files)
        guard let plan = loaded.plan else {
            Applying.show(context.diagnostics(refusing: loaded.diagnostics))
            throw CommandFailure(exitCode: ExitCode.invalidManifest.rawValue)
        }
        diagnostics = loaded.diagnostics.filter { $0.rule == RuleID.accountNotFound.rawValue }
        secrets = try SecretReader(environment: context.environment, directory: plan.project.directory)
            .values(of: plan.secrets(neededBy: names))
    }

    /// Most manifests have none of these keys, and are read once.
    private static func mayNeedIt(_ text: [UInt8]) -> Bool {
        let keys = ["secrets", "user", "group"].map { Array($0.utf8) }
        return text.withUnsafeBufferPointer { text in
            text.indices.contains { start in
                guard start == 0 || !isLetter(text[start - 1]) else { return false }
                return keys.contains { key in
                    let end = start + key.count
                    return end < text.count && text[start] == key[0] && !isLetter(text[end])
                        && text[start..<end].elementsEqual(key)
                }
            }
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
