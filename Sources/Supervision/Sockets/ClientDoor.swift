import CProcess
import Glibc

/// Where a sidecar that runs a process for each client is reached: two Unix sockets in the state directory, for this
/// user alone.
package struct ClientDoor: Hashable, Sendable {
    /// A connection to it is a process's standard input and output. For any program.
    package let streamPath: String
    /// Takes a client's own standard input and output, and tells the exit code. For `orchestrate attach`.
    package let attachPath: String

    private let directories: [String]
    /// Who comes while the supervisor is started again waits there.
    private static let backlog: Int32 = 64

    package init(stateDirectory: String, instance: LogInstance) {
        directories = Self.directories(in: stateDirectory)
        streamPath = "\(directories[0])/\(instance.stem)"
        attachPath = "\(directories[1])/\(instance.stem)"
    }

    /// Listens at both. Whatever file was there is replaced: the project's lock says that nobody else listens.
    package func open() throws(SystemError) -> (stream: Int32, attach: Int32) {
        for directory in directories { try Directory.create(directory) }
        remove()
        let stream = orch_unix_listen(streamPath, Self.backlog)
        guard stream >= 0 else { throw SystemError(call: "listen on \(streamPath)", errno: -stream) }
        let attach = orch_unix_listen_packets(attachPath, Self.backlog)
        guard attach >= 0 else {
            close(stream)
            throw SystemError(call: "listen on \(attachPath)", errno: -attach)
        }
        return (stream, attach)
    }

    package func remove() {
        unlink(streamPath)
        unlink(attachPath)
    }

    /// When there is no door any more.
    package static func removeAll(in stateDirectory: String) {
        for directory in directories(in: stateDirectory) { Directory.remove(directory) }
    }

    private static func directories(in stateDirectory: String) -> [String] {
        ["\(stateDirectory)/clients", "\(stateDirectory)/attach"]
    }
}
