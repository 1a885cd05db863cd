package import Glibc

/// A process seen from outside, by /proc. Two are the same only when pid and start time are.
package struct SeenProcess: Hashable, CustomStringConvertible {
    package let pid: pid_t
    package let startTime: UInt64
    package let parent: pid_t
    package let arguments: [String]
    /// The name of the file it runs.
    package let executable: String
    /// The file itself.
    package var file: String { ProcessTable.file(of: pid) }
    /// The sidecar it was started for, by the variable that the test's manifest sets.
    package let sidecar: String?

    package var description: String { "\(pid) \(arguments.joined(separator: " "))" }

    package static func == (one: Self, other: Self) -> Bool { one.pid == other.pid && one.startTime == other.startTime }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(pid)
        hasher.combine(startTime)
    }

    /// Kills it if it is still the process that was seen.
    package func kill() { signal(SIGKILL) }

    package func signal(_ number: Int32) {
        guard let now = ProcessTable.process(pid), now == self else { return }
        Glibc.kill(pid, number)
    }
}

package enum ProcessTable {
    /// Every living process that carries `variable=value` in its environment.
    package static func processes(with variable: String, _ value: String) -> [SeenProcess] {
        Directory.entries("/proc").compactMap { name in
            guard let pid = pid_t(name) else { return nil }
            let environment = environment(of: pid)
            guard environment[variable] == value, let found = process(pid, environment: environment) else { return nil }
            // One that ended meanwhile has lost its name, and would be taken for a sidecar.
            return Self.environment(of: pid)[variable] == value ? found : nil
        }
    }

    /// Every living process whose program is the file at `path`. The link of a zombie is gone.
    static func processes(executing path: String) -> [SeenProcess] {
        Directory.entries("/proc").compactMap { name in
            guard let pid = pid_t(name), executes(pid, path) else { return nil }
            return process(pid, environment: [:])
        }
    }

    /// One system call, as this is asked of every process there is.
    private static func executes(_ pid: pid_t, _ path: String) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            guard let text = buffer.baseAddress else { return false }
            let length = readlink("/proc/\(pid)/exe", text, buffer.count)
            return length == path.utf8.count && path.utf8.elementsEqual(buffer[..<length])
        }
    }

    package static func all() -> [SeenProcess] {
        Directory.entries("/proc").compactMap { pid_t($0) }.compactMap { process($0, environment: [:]) }
    }

    package static func process(_ pid: pid_t, environment: [String: String]? = nil) -> SeenProcess? {
        let stat = File.text("/proc/\(pid)/stat")
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        // A zombie runs nothing any more, once its other threads have ended too: until then they hold what it had open.
        guard fields.count > 19, fields[0] != "Z" || fields[17] != "1", let start = UInt64(fields[19]) else {
            return nil
        }
        let arguments = File.text("/proc/\(pid)/cmdline").split(separator: "\0").map(String.init)
        return SeenProcess(
            pid: pid, startTime: start, parent: pid_t(fields[1]) ?? 0, arguments: arguments,
            executable: executable(of: pid), sidecar: (environment ?? self.environment(of: pid))["SIDECAR"])
    }

    /// The directory of its cgroup of version 2, where one is mounted.
    package static func controlGroup(of pid: pid_t) -> String? {
        let lines = File.text("/proc/\(pid)/cgroup").split(separator: "\n")
        guard let group = lines.first(where: { $0.hasPrefix("0::") })?.dropFirst(3) else { return nil }
        return ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map { "\($0)\(group)" }
            .first { File.exists("\($0)/cgroup.kill") }
    }

    private static func executable(of pid: pid_t) -> String {
        file(of: pid).split(separator: "/").last.map(String.init) ?? ""
    }

    package static func file(_ link: String = "exe", of pid: pid_t) -> String {
        guard let path = realpath("/proc/\(pid)/\(link)", nil) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }

    /// A thread of the kernel runs no file, and a zombie has none any more: asked first, as most that show no environment
    /// are such, and this is asked of every process there is.
    private static func isExecuting(_ pid: pid_t) -> Bool {
        var letter: CChar = 0
        return readlink("/proc/\(pid)/exe", &letter, 1) > 0 && File.text("/proc/\(pid)/cmdline").isEmpty
    }

    private static func environment(of pid: pid_t) -> [String: String] {
        var text = File.text("/proc/\(pid)/environ")
        // In the middle of an execve a process shows neither environment nor arguments, for some microseconds, or for as
        // long as nobody lets it run. One that has neither for good is not waited for.
        for _ in 0..<200 where text.isEmpty && isExecuting(pid) {
            usleep(500)
            text = File.text("/proc/\(pid)/environ")
        }
        var variables: [String: String] = [:]
        for entry in text.split(separator: "\0") {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            variables[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        return variables
    }
}
