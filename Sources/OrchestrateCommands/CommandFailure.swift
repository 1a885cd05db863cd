import ControlAPI

/// Why a command ends, with what it exits with.
struct CommandFailure: Error {
    var exitCode: Int32
    /// Empty: everything was said already.
    var message: String

    init(_ code: ExitCode, _ message: String = "") {
        exitCode = code.rawValue
        self.message = message
    }

    init(_ error: ControlError) { self.init(error.exitCode, error.message) }

    /// Ends with another's code, which may be 0, and nothing more to say.
    init(exitCode: Int32) {
        self.exitCode = exitCode
        message = ""
    }
}
