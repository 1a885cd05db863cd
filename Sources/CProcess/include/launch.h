#pragma once

// Starting the keeper, detached from the caller.

struct orch_launch_request {
    const char *keeper_path;
    const char *state_directory;
    /// The program of the supervisor, open for reading (or O_PATH).
    int program_fd;
    /// Where the supervisor says it is ready: passed through.
    int ready_fd;
    /// stdout and stderr of keeper and supervisor.
    int log_fd;
    /// The supervisor's arguments, without the program's name. NULL-terminated.
    char *const *arguments;
    char *const *environment;
};

/// Returns 0 when the keeper was started and lives detached from the caller, else -errno.
int orch_launch_keeper(const struct orch_launch_request *request);
