import Glibc

/// What the kernel says of processes, from /proc.
enum ProcessTable {
    /// The keeper, which is the parent of the sidecars, and the supervisor, which is the keeper's child too.
    static func supervision(parentOfSidecars keeper: Int32) -> [Int32] {
        let supervisors = all().filter { pid in
            parent(of: pid) == keeper && executable(of: pid).hasSuffix("/orchestrate")
        }
        return [keeper] + supervisors
    }

    static func isAlive(_ pid: Int32) -> Bool {
        let fields = stat(pid)
        return !fields.isEmpty && fields[0] != "Z"
    }

    static func parent(of pid: Int32) -> Int32? {
        let fields = stat(pid)
        return fields.count > 1 ? Int32(fields[1]) : nil
    }

    /// Proportional share of memory, in KiB.
    static func pss(_ pids: [Int32]) -> Double {
        pids.reduce(0) { sum, pid in sum + number(after: "Pss:", in: readText("/proc/\(pid)/smaps_rollup")) }
    }

    /// The most memory that was ever resident, in KiB.
    static func peakResident(_ pids: [Int32]) -> Double {
        pids.reduce(0) { sum, pid in sum + number(after: "VmHWM:", in: readText("/proc/\(pid)/status")) }
    }

    /// Time on a processor, all threads, in nanoseconds.
    static func cpu(_ pids: [Int32]) -> Double {
        threads(of: pids).reduce(0) { sum, thread in
            sum + (Double(readText("\(thread)/schedstat").split(separator: " ").first ?? "0") ?? 0)
        }
    }

    /// How often a thread went to sleep of its own will: once for each time that it woke.
    static func wakeups(_ pids: [Int32]) -> Double {
        threads(of: pids).reduce(0) { sum, thread in
            sum + number(after: "\nvoluntary_ctxt_switches:", in: readText("\(thread)/status"))
        }
    }

    private static func all() -> [Int32] { entries(of: "/proc").compactMap { Int32($0) } }

    private static func threads(of pids: [Int32]) -> [String] {
        pids.flatMap { pid in entries(of: "/proc/\(pid)/task").map { "/proc/\(pid)/task/\($0)" } }
    }

    /// The fields after the command's name: state, parent, …
    private static func stat(_ pid: Int32) -> [Substring] {
        let text = readText("/proc/\(pid)/stat")
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }

    private static func executable(of pid: Int32) -> String {
        guard let path = realpath("/proc/\(pid)/exe", nil) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }

    private static func number(after label: String, in text: String) -> Double {
        guard let start = text.firstRange(of: label) else { return 0 }
        let digits = text[start.upperBound...].drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber }
        return Double(digits) ?? 0
    }
}

func entries(of path: String) -> [String] {
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
