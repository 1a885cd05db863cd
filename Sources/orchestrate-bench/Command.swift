import Glibc

/// A program run to its end.
struct Command {
    let status: Int32
    let begun: UInt64
    let nanoseconds: UInt64
    /// Standard output and error.
    let output: String

    /// Runs `arguments` in `directory`; its output goes through a file there. A status of 128+n is a signal.
    static func run(
        _ arguments: [String], directory: String, environment: [String: String] = [:], meanwhile: () -> Void = {}
    ) throws(BenchFailure) -> Command {
        let outputPath = "\(directory)/output"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Nothing else runs in this process, and every path it uses is absolute.
        guard chdir(directory) == 0 else { throw BenchFailure("cannot change to \(directory): errno \(errno)") }
        for (name, value) in environment { setenv(name, value, 1) }

        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for argument in argv { free(argument) } }
        var pid: pid_t = 0
        let start = monotonicNanoseconds()
        let error = posix_spawn(&pid, arguments[0], &actions, nil, &argv, environ)
        guard error == 0 else { throw BenchFailure("cannot run \(arguments[0]): errno \(error)") }
        meanwhile()
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let end = monotonicNanoseconds()
        let code = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
        return Command(status: code, begun: start, nanoseconds: end - start, output: readText(outputPath))
    }

    /// The run, or a failure that shows what it said.
    func expecting(_ allowed: Int32..., of what: String) throws(BenchFailure) -> Command {
        guard allowed.contains(status) else {
            throw BenchFailure("\(what) exited with \(status):\n\(output.suffix(2000))")
        }
        return self
    }
}

func readText(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}

func writeText(_ text: String, to path: String) throws(BenchFailure) {
    guard let file = fopen(path, "w") else { throw BenchFailure("cannot write \(path): errno \(errno)") }
    fputs(text, file)
    fclose(file)
}
