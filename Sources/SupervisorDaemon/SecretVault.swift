import FoundationEssentials
import Glibc
import Planning
import SidecarModel
import Supervision

/// The values of a project's secrets, from its first `up` until it is down: in memory, and in one file for this user
/// alone, so that a supervisor that is started again hands out the same. They are written nowhere else.
///
/// Confined to the loop's thread.
final class SecretVault {
    struct Entry: Hashable, Codable {
        var value: Data
        /// Grows with every other value.
        var revision: UInt64
        /// How long it was to be, when it was drawn.
        var generated: Int?
    }

    struct Missing: Error { var names: [String] }

    private let path: String
    private(set) var entries: [String: Entry] = [:]

    init(path: String) { self.path = path }

    /// What an earlier supervisor kept. False: there should be something and it can't be read.
    func load() -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return errno == ENOENT }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while true {
            var count = 0
            let part = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, filled in
                count = read(descriptor, buffer.baseAddress, buffer.count)
                filled = max(0, count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += part
        }
        guard let found = try? JSONDecoder().decode([String: Entry].self, from: Data(bytes)) else { return false }
        entries = found
        return true
    }

    /// The project's life is over.
    func discard() {
        entries = [:]
        unlink(path)
    }

    func value(of secret: String) -> [UInt8]? { entries[secret].map { [UInt8]($0.value) } }

    /// Those that were drawn here, which nobody else knows.
    var generated: [String: String] {
        entries.filter { $0.value.generated != nil }.mapValues { String(decoding: $0.value, as: UTF8.self) }
    }

    /// What is kept once these are declared and given. Values that are generated are drawn when there is none yet.
    ///
    /// - Parameter keepsOthers: those that are not declared any more are still somebody's.
    func updated(
        for secrets: [SecretSpec], given: [String: Data], keepsOthers: Bool
    ) throws(Missing) -> [String: Entry] {
        var new = keepsOthers ? entries : [:]
        var missing: [String] = []
        for secret in secrets {
            let old = entries[secret.name]
            if case .generated(let length) = secret.source {
                new[secret.name] =
                    old?.generated == length
                    ? old
                    : Entry(
                        value: Data(Self.draw(length).utf8), revision: (old?.revision ?? 0) + 1, generated: length)
            } else if let value = given[secret.name] {
                let isSame = old?.value == value
                new[secret.name] = Entry(value: value, revision: isSame ? old?.revision ?? 1 : (old?.revision ?? 0) + 1)
            } else {
                missing.append(secret.name)
            }
        }
        guard missing.isEmpty else { throw Missing(names: missing) }
        return new
    }

    /// On disk first: a value that a sidecar was started with is never lost.
    func replace(by new: [String: Entry]) throws(SystemError) {
        guard new != entries else { return }
        if new.isEmpty { return discard() }
        guard let bytes = try? JSONEncoder().encode(new) else {
            throw SystemError(call: "encode the secrets", errno: EINVAL)
        }
        try write([UInt8](bytes))
        entries = new
    }

    private func write(_ bytes: [UInt8]) throws(SystemError) {
        let temporary = path + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .last("create \(temporary)") }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .last("write \(temporary)") }
            written += count
        }
        guard rename(temporary, path) == 0 else { throw .last("rename \(temporary)") }
    }

    /// Letters and digits, so that it fits a URL, a shell and a configuration file: almost 6 bits each.
    private static func draw(_ length: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var generator = SystemRandomNumberGenerator()
        return String(
            decoding: (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] },
            as: UTF8.self)
    }
}

extension Plan {
    /// The same plan, in which a secret that changed is a change of the sidecars that get it.
    func stamped(with entries: [String: SecretVault.Entry]) -> Plan {
        guard sidecars.contains(where: { !$0.secrets.isEmpty }) else { return self }
        let blank = project.blankHasher
        let stamped = sidecars.map { sidecar in
            guard !sidecar.secrets.isEmpty else { return sidecar }
            var sidecar = sidecar
            for position in sidecar.secrets.indices {
                sidecar.secrets[position].revision = entries[sidecar.secrets[position].secret]?.revision ?? 0
            }
            sidecar.fingerprints = sidecar.makeFingerprints(from: blank)
            return sidecar
        }
        // The graph is that of a plan already.
        return (try? Plan(project: project, sidecars: stamped)) ?? self
    }

    /// Variables of the client's environment that hold a secret, and are nobody else's.
    var secretVariables: Set<String> {
        Set(project.secrets.compactMap { if case .environment(let name) = $0.source { name } else { nil } })
    }
}
