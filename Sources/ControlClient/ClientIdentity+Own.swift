package import ControlAPI
import Glibc

extension ClientIdentity {
    /// This process, as a supervisor can prove it.
    package static func own() throws(ControlError) -> ClientIdentity {
        guard let stat = smallFile("/proc/self/stat"), let start = startTime(in: stat),
            let boot = smallFile("/proc/sys/kernel/random/boot_id")
        else { throw ControlError(.failed, "cannot read /proc: is it mounted?") }
        return ClientIdentity(pid: getpid(), startTime: start, bootID: String(boot.prefix { $0 != "\n" }))
    }

    /// Field 22. The second one, the command, may hold spaces and brackets itself: count after its last bracket.
    static func startTime(in stat: String) -> UInt64? {
        guard let bracket = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[bracket...].dropFirst().split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }

    static func smallFile(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
