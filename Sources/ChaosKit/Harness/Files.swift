package import Glibc

package enum File {
    package static func text(_ path: String, first most: Int = .max) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&chunk, 1, min(chunk.count, most - bytes.count), file), count > 0 {
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func write(_ text: String, to path: String, mode: mode_t = 0o644) throws {
        guard let file = fopen(path, "w") else { throw HarnessError("cannot write \(path): errno \(errno)") }
        fputs(text, file)
        fclose(file)
        chmod(path, mode)
    }

    /// Of a program: whoever may read it may execute it.
    static func copy(_ path: String, to copy: String) throws {
        let source = open(path, O_RDONLY | O_CLOEXEC)
        let target = open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0o755)
        defer {
            close(source)
            close(target)
        }
        var facts = stat()
        guard source >= 0, target >= 0, fstat(source, &facts) == 0 else {
            throw HarnessError("cannot copy \(path) to \(copy): errno \(errno)")
        }
        while sendfile(target, source, nil, Int(facts.st_size)) > 0 {}
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

package enum Directory {
    package static func entries(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    package static func makeTemporary() throws -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/orchestrate-e2e.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw HarnessError("cannot make a directory in \(base)") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    package static func remove(_ path: String) {
        for name in entries(path) {
            let entry = "\(path)/\(name)"
            var status = stat()
            if lstat(entry, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
                remove(entry)
            } else {
                unlink(entry)
            }
        }
        rmdir(path)
    }
}
