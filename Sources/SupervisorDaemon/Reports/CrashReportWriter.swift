import ControlAPI
import DiagnosticRendering
import Glibc
import Supervision

extension CrashReportSource {
    private static let logLines = 500
    private static let logBytes = 256 << 10

    /// Writes the report as a directory of this name, for this user alone: all of it is there, or nothing.
    /// Throws when there is already something of that name.
    package func write(to path: String) throws(CrashReportError) {
        let report = try gather()
        do throws(SystemError) {
            try ReportDirectory.make(path) { directory throws(SystemError) in
                try directory.write("summary.txt", CrashReportText.summary(report))
                try directory.write("report.json", WireFormat.json(report, pretty: true) + "\n")
                try directory.write("journal.txt", CrashReportText.journal(report))
                try directory.write("environment.txt", CrashReportText.environment(report))
                try directory.write("log.txt", lastLines())
            }
        } catch {
            throw .write(error)
        }
    }

    /// With the supervisor's own notes. As they were written, but for what would steer a terminal.
    private func lastLines() -> String {
        let source = LogSource(instance: instance, directory: logDirectory)
        let query = LogQuery(last: Self.logLines, includesSystem: true)
        guard let reader = try? LogReader([source], query: query) else { return "" }
        var lines: [String] = []
        reader.read { entry in
            let text = TerminalText.safe(String(entry.line.string.prefix(4096)))
            lines.append("\(entry.time) \(entry.line.stream.rawValue) \(text)\n")
        }
        // The newest that fit.
        var room = Self.logBytes
        let kept = lines.reversed().prefix { line in
            room -= line.utf8.count
            return room >= 0
        }
        return kept.reversed().joined()
    }
}

/// A directory that gets its name when all is in it.
struct ReportDirectory {
    private let descriptor: Int32
    private let path: String

    static let unfinishedSuffix = ".unfinished"

    static func make(_ path: String, _ fill: (ReportDirectory) throws(SystemError) -> Void) throws(SystemError) {
        var info = stat()
        guard lstat(path, &info) != 0 else { throw SystemError(call: "make \(path)", errno: EEXIST) }
        let unfinished = path + Self.unfinishedSuffix
        remove(unfinished)
        guard mkdir(unfinished, 0o700) == 0 else { throw .last("make \(unfinished)") }
        let descriptor = open(unfinished, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last("open \(unfinished)") }
        defer { close(descriptor) }
        do throws(SystemError) {
            try fill(ReportDirectory(descriptor: descriptor, path: unfinished))
            guard rename(unfinished, path) == 0 else { throw .last("rename \(unfinished)") }
        } catch {
            remove(unfinished)
            throw error
        }
    }

    func write(_ name: String, _ text: String) throws(SystemError) {
        let file = openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .last("open \(path)/\(name)") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress?.advanced(by: done), $0.count - done) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .last("write \(path)/\(name)") }
            done += count
        }
    }

    /// Of ours there are only files in it.
    static func remove(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        for name in (try? Directory.names(in: path)) ?? [] { unlinkat(descriptor, name, 0) }
        close(descriptor)
        rmdir(path)
    }
}
