import ControlAPI

/// Why a command ends, with what it exits with.
struct CommandFailure: Error {
    enum Code: Int32 {
        case failed = 1
        case invalidManifest = 3
        case unknownSidecar = 4
        case noSupervisor = 5
        case timeout = 6
        case conflict = 7
        case usage = 64
        case bug = 70
        case interrupted = 130
    }

    var exitCode: Int32
    /// Empty: everything was said already.
    var message: String

    init(_ code: Code, _ message: String) {
        exitCode = code.rawValue
        self.message = message
    }

    init(_ error: ControlError) {
        exitCode = error.exitCode
        message = error.message
    }

    /// Ends with another's code, which may be 0, and nothing more to say.
    init(exitCode: Int32) {
        self.exitCode = exitCode
        message = ""
    }
}
