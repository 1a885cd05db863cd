import CProcess
import Glibc

/// Starts a keeper, which starts a supervisor; both live on when the caller ends.
package struct KeeperLauncher {
    package var keeperPath: String
    package var stateDirectory: String
    /// The supervisor's program: a file by path, opened here, so that a later replacement doesn't matter.
    package var programPath: String
    /// Without the program's name. `--keeper-descriptors=…` is appended. The working directory is `/`.
    package var arguments: [String]
    /// `KEY=value`
    package var environment: [String]
    /// Where keeper and supervisor write what they have to say.
    package var logDescriptor: Int32
    /// A guard is there before anything is started.
    package var isGuarded = false

    package init(
        keeperPath: String, stateDirectory: String, programPath: String, arguments: [String], environment: [String],
        logDescriptor: Int32
    ) {
        self.keeperPath = keeperPath
        self.stateDirectory = stateDirectory
        self.programPath = programPath
        self.arguments = arguments
        self.environment = environment
        self.logDescriptor = logDescriptor
    }

    /// Returns the end to read from: one line comes when the supervisor serves (what it says is up to it), or
    /// `conflict …`, `error …` from the keeper; the end of the stream without a line means it gave up.
    package func launch() throws(SystemError) -> Int32 {
        let program = open(programPath, O_RDONLY | O_CLOEXEC)
        guard program >= 0 else { throw .last("open \(programPath)") }
        defer { close(program) }
        var ends: [Int32] = [-1, -1]
        guard loop_pipe(&ends) == 0 else { throw .last("pipe") }
        defer { close(ends[1]) }
        // Whoever waits for the line waits in `read`, and the supervisor writes it in one piece.
        for end in ends { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) & ~O_NONBLOCK) }
        let failure = CStringArray(arguments).withPointers { arguments in
            CStringArray(environment).withPointers { environment in
                keeperPath.withCString { keeper in
                    stateDirectory.withCString { directory in
                        var request = orch_launch_request(
                            keeper_path: keeper, state_directory: directory, program_fd: program, ready_fd: ends[1],
                            log_fd: logDescriptor, is_guarded: isGuarded ? 1 : 0, arguments: arguments,
                            environment: environment)
                        return orch_launch_keeper(&request)
                    }
                }
            }
        }
        guard failure == 0 else {
            close(ends[0])
            throw SystemError(call: "start \(keeperPath)", errno: -failure)
        }
        return ends[0]
    }
}
