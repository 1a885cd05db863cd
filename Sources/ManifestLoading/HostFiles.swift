import Glibc
package import SidecarModel

/// The files of this machine.
package struct HostFiles: FileReading {
    private let resourceObstacle: @Sendable (ResourceSpec) -> String?
    private let portObstacle: @Sendable (_ port: PortSpec, _ replicas: Int) -> PortObstacle?

    /// - Parameters:
    ///   - resourceObstacle: why limits can't be enforced here.
    ///   - portObstacle: why so many can't have such a port now.
    package init(
        resourceObstacle: @escaping @Sendable (ResourceSpec) -> String? = { _ in nil },
        portObstacle: @escaping @Sendable (_ port: PortSpec, _ replicas: Int) -> PortObstacle? = { _, _ in nil }
    ) {
        self.resourceObstacle = resourceObstacle
        self.portObstacle = portObstacle
    }

    package func obstacle(to resources: ResourceSpec) -> String? { resourceObstacle(resources) }

    package func obstacle(to port: PortSpec, replicas: Int) -> PortObstacle? { portObstacle(port, replicas) }

    package var currentDirectory: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }

    package func read(_ path: String, limit: Int) throws(FileReadFailure) -> [UInt8] {
        // Without O_NONBLOCK a FIFO would hold up whoever opens it until somebody writes, a supervisor for ever.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileReadFailure(errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileReadFailure(errno: errno) }
        if let name = Self.nameOfEndless(status) { throw .notAFile(name) }
        return try Self.readAll(from: descriptor, limit: limit)
    }

    /// What may have no end, or none yet. The null device is an empty file to everybody.
    private static func nameOfEndless(_ status: stat) -> String? {
        switch status.st_mode & S_IFMT {
        case S_IFIFO: "a FIFO"
        case S_IFCHR: status.st_rdev == nullDevice ? nil : "a device"
        case S_IFBLK: "a device"
        default: nil
        }
    }

    /// 1:3 in the kernel's list of devices, as `st_rdev` holds it.
    private static let nullDevice: dev_t = 1 << 8 | 3

    /// Everything up to the end: of a file, or of standard input.
    package static func readAll(from descriptor: Int32, limit: Int) throws(FileReadFailure) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileReadFailure(errno: errno) }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw .isDirectory }
        guard status.st_size <= limit else { throw .tooLarge(limit: limit) }
        var bytes: [UInt8] = []
        var chunk = max(4096, Int(status.st_size) + 1)
        var failure: Int32 = 0
        while failure == 0 {
            let wanted = chunk
            let before = bytes.count
            bytes.reserveCapacity(before + wanted)
            let part = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
                let received = Glibc.read(descriptor, buffer.baseAddress, wanted)
                if received < 0, errno != EINTR { failure = errno }
                count = max(0, received)
                if received < 0, errno == EINTR { count = 0; failure = -1 }
            }
            if failure == -1 { failure = 0; continue }
            guard failure == 0 else { throw FileReadFailure(errno: failure) }
            if part.isEmpty { return bytes }
            if before == 0 { bytes = part } else { bytes += part }
            guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
            chunk = 65536
        }
        return bytes
    }

    package func canonicalPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    package func kind(of path: String) -> FileKind? {
        var status = stat()
        guard stat(path, &status) == 0 else { return errno == EACCES ? .hidden : nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(isExecutable: access(path, X_OK) == 0)
        case S_IFDIR: return .directory(isAccessible: access(path, X_OK) == 0)
        default: return .other
        }
    }
}

extension FileReadFailure {
    fileprivate init(errno code: Int32) {
        switch code {
        case ENOENT, ENOTDIR: self = .notFound
        case EACCES, EPERM: self = .permissionDenied
        case EISDIR: self = .isDirectory
        case ENXIO: self = .notAFile("a socket")
        default: self = .other(String(cString: strerror(code)))
        }
    }

    /// As the end of a sentence.
    package var reason: String {
        switch self {
        case .notFound: "no such file"
        case .permissionDenied: "permission denied"
        case .isDirectory: "it is a directory"
        case .notAFile(let name): "it is \(name), not a file"
        case .tooLarge(let limit): "it is larger than \(limit) bytes"
        case .other(let text): text
        }
    }
}
