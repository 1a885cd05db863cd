import CProcess
import Glibc

/// A system call that failed.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried: the call, and on what where that helps.
    package var call: String
    package var errno: Int32

    package init(call: String, errno: Int32) {
        self.call = call
        self.errno = errno
    }

    /// The failure the calling thread just had.
    package static func last(_ call: String) -> SystemError { SystemError(call: call, errno: Glibc.errno) }

    /// What the kernel says, uncapitalised: `no such file or directory`.
    package var message: String { Self.message(for: errno) }

    /// The way out, where it is the same whatever was tried. Nil: nothing general can be said.
    package var remedy: String? {
        switch errno {
        case ENOSPC, EDQUOT: "free some space (df -h) or inodes (df -i) there"
        case EAGAIN where call == Self.startingThread: Self.moreProcesses
        default: nil
        }
    }

    static let startingThread = "start a thread"

    /// The kernel says nothing of which limit it is.
    package static let moreProcesses =
        "raise the limit on processes: ulimit -u, LimitNPROC= of the service, or pids.max of the cgroup"

    package var description: String { "\(call): \(message)" }

    package static func message(for number: Int32) -> String {
        guard let text = loop_error_text(number) else { return "error \(number)" }
        let sentence = String(cString: text)
        let second = sentence.dropFirst().first
        // `I/O error` keeps its capital, `No such file` does not.
        guard let second, second.isLowercase || second == " " else { return sentence }
        return sentence.prefix(1).lowercased() + sentence.dropFirst()
    }
}
