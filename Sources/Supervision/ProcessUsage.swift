import Glibc
package import SidecarModel

/// What a process has used so far and holds now.
package struct ProcessUsage: Hashable, Sendable {
    /// User and system time of all its threads since it started.
    package var cpuTime: Duration
    /// Resident memory; pages shared with others count in full.
    package var memory: ByteCount

    package init(cpuTime: Duration = .zero, memory: ByteCount = ByteCount(bytes: 0)) {
        self.cpuTime = cpuTime
        self.memory = memory
    }

    /// Nil: there is no such process any more.
    package init?(pid: Int32) {
        guard let stat = ProcFile.bytes("/proc/\(pid)/stat", limit: 4096), let usage = Self(stat: stat) else {
            return nil
        }
        self = usage
    }

    /// The sum over those that live.
    package init(pids: some Sequence<Int32>) {
        self.init()
        for pid in pids {
            guard let usage = ProcessUsage(pid: pid) else { continue }
            cpuTime += usage.cpuTime
            memory.bytes += usage.memory.bytes
        }
    }

    /// Reads the text of /proc/PID/stat. The name in it may hold spaces and parentheses, so fields count from the last.
    init?(stat: [UInt8]) {
        guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = stat[(end + 1)...].split(maxSplits: 22) { $0 == 0x20 || $0 == 0x0a }
        // Field 3, the state, is the first here.
        guard fields.count > 21, let user = Self.number(fields[11]), let system = Self.number(fields[12]),
            let pages = Self.number(fields[21])
        else { return nil }
        let ticks = max(1, Int64(sysconf(Int32(_SC_CLK_TCK))))
        cpuTime = .milliseconds((user + system) * 1000 / ticks)
        memory = ByteCount(bytes: pages * Int64(sysconf(Int32(_SC_PAGESIZE))))
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? { Int64(String(decoding: digits, as: UTF8.self)) }
}
