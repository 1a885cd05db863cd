import Glibc
import SidecarModel

/// What this process was started with.
enum ProcessEnvironment {
    static func variables() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let pointer = entry.pointee {
            let text = String(cString: pointer)
            if let equals = text.firstIndex(of: "="), equals != text.startIndex {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            entry += 1
        }
        return variables
    }

    /// The value of a variable that is no UTF-8, as a shell writes it. Nil: it is text.
    static func bytesOfNoText(in variable: String) -> String? {
        guard let value = getenv(variable) else { return nil }
        let bytes = UnsafeBufferPointer(start: value, count: strlen(value)).map { UInt8(bitPattern: $0) }
        guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
        let shown = bytes.map { byte in
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\\"), 0..<0x20, 0x7f...:
                "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            case _: String(UnicodeScalar(byte))
            }
        }
        return "$'\(shown.joined())'"
    }

    /// As the shell sees it: symbolic links stay, so that a project reached through another link is another project.
    static func workingDirectory(_ variables: [String: String]) -> String {
        if let logical = variables["PWD"], logical.hasPrefix("/"), isSameDirectory(logical, ".") { return logical }
        return physicalDirectory ?? "/"
    }

    /// Nil: it was removed.
    private static var physicalDirectory: String? {
        guard let path = getcwd(nil, 0) else { return nil }
        defer { free(path) }
        return String(cString: path)
    }

    /// That no manifest is found from there.
    static func absenceOfManifest(in directory: String) -> String {
        if directory == "/", physicalDirectory == nil {
            return "the working directory is gone, and no manifest was named"
        }
        return "there is no sidecars.yaml in \(directory) or above it"
    }

    /// Without changing it for longer than it takes to look.
    static func umask() -> UInt32 {
        let current = Glibc.umask(0o077)
        _ = Glibc.umask(current)
        return UInt32(current)
    }

    static func limits() -> [LimitSpec] {
        LimitName.allCases.compactMap { name in
            var pair = rlimit()
            guard getrlimit(__rlimit_resource_t(UInt32(name.number)), &pair) == 0 else { return nil }
            return LimitSpec(name, soft: UInt64(pair.rlim_cur), hard: UInt64(pair.rlim_max))
        }
    }

    private static func isSameDirectory(_ first: String, _ second: String) -> Bool {
        var one = stat()
        var other = stat()
        return stat(first, &one) == 0 && stat(second, &other) == 0 && one.st_dev == other.st_dev
            && one.st_ino == other.st_ino
    }
}
