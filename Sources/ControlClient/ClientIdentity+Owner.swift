package import ControlAPI
import Glibc

extension ClientIdentity {
    /// Another process, for a project to hang on. Throws `failed` when it is not there, has ended, is another user's, or
    /// is no process but a thread of one.
    package static func owner(pid: Int32) throws(ControlError) -> ClientIdentity {
        guard pid > 0, let status = smallFile("/proc/\(pid)/status") else {
            throw unfit(pid, "there is no such process")
        }
        let lines = status.split(separator: "\n")
        func field(_ name: String) -> [Substring] {
            lines.first { $0.hasPrefix(name) }?.split(whereSeparator: { $0 == "\t" || $0 == " " }) ?? []
        }
        // The real uid: the owner of /proc/PID is root's for whoever hides from debuggers.
        let uid = field("Uid:").dropFirst().first.flatMap { UInt32($0) }
        guard uid == geteuid() || uid == getuid() else {
            throw unfit(pid, uid.map { "it belongs to the user with uid \($0)" } ?? "/proc does not say whose it is")
        }
        guard field("Tgid:").last.flatMap({ Int32($0) }) == pid else { throw unfit(pid, "it is a thread of a process") }
        let state = field("State:").dropFirst().first
        guard state != "Z", state != "X", let stat = smallFile("/proc/\(pid)/stat"), let start = startTime(in: stat)
        else { throw unfit(pid, "it has ended") }
        return ClientIdentity(pid: pid, startTime: start, bootID: try own().bootID)
    }

    private static func unfit(_ pid: Int32, _ reason: String) -> ControlError {
        ControlError(
            .failed, "cannot bind the project to the process with pid \(pid): \(reason). Nothing was started")
    }
}
