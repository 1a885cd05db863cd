import Glibc

/// Which processes the kernel killed for want of memory, as far as we may know: by the kernel's log, which root may read and
/// which names each, and elsewhere by their cgroup, where that counts it.
///
/// The log is held open and read only when somebody was killed; nothing wakes for it.
package final class MemoryShortage {
    /// -1: there is none for us. Its pids are those of the first PID namespace.
    private let log: Int32
    private var victims: Set<Int32> = []

    package init() {
        log = Self.isInFirstNamespace ? open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1
        // Not what was before us: pids come again.
        if log >= 0 { lseek(log, 0, SEEK_END) }
    }

    deinit { if log >= 0 { close(log) } }

    /// The kernel's log says whom it killed.
    package var isExact: Bool { log >= 0 }

    /// Whether the kernel killed this process, whose end by SIGKILL was seen just now.
    package func killed(_ pid: Int32, group: String?) -> Bool {
        guard log < 0 else {
            readLog()
            return victims.remove(pid) != nil
        }
        // It may have been another one of the same cgroup, earlier.
        return group.map { Self.counts(ProcFile.text($0 + "/memory.events") ?? "") } ?? false
    }

    private static var isInFirstNamespace: Bool {
        var facts = stat()
        // PROC_PID_INIT_INO
        return stat("/proc/self/ns/pid", &facts) == 0 && facts.st_ino == 0xEFFF_FFFC
    }

    /// `oom_kill 1`
    package static func counts(_ events: String) -> Bool {
        events.split(separator: "\n").contains { line in
            let parts = line.split(separator: " ")
            return parts.count == 2 && parts[0] == "oom_kill" && parts[1] != "0"
        }
    }

    private func readLog() {
        var record = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = read(log, &record, record.count)
            if count < 0, errno == EPIPE || errno == EINTR { continue }
            guard count > 0 else { return }
            guard let victim = Self.victim(in: String(decoding: record[..<count], as: UTF8.self)) else { continue }
            // Of whoever was killed, those that are ours are asked about at once.
            if victims.count == 1024 { victims.removeAll() }
            victims.insert(victim)
        }
    }

    /// `…;Memory cgroup out of memory: Killed process 4711 (name) total-vm:…`
    package static func victim(in record: String) -> Int32? {
        // Only the kernel itself writes with facility 0, and 0 to 7 in front of the first comma are of it.
        guard let semicolon = record.firstIndex(of: ";"),
            let priority = Int(record.prefix { $0 != "," }), priority < 8
        else { return nil }
        let text = record[record.index(after: semicolon)...]
        guard let found = text.firstRange(of: "Killed process ") else { return nil }
        return Int32(text[found.upperBound...].prefix(while: \.isNumber))
    }
}
