#pragma once

// Starting the keeper, detached from the caller, or in the caller's place.

#include "protocol.h"

struct orch_launch_request {
    const char *keeper_path;
    const char *state_directory;
    /// The program of the supervisor, open for reading (or O_PATH).
    int program_fd;
    /// Where the supervisor says it is ready: passed through.
    int ready_fd;
    /// stdout and stderr of keeper and supervisor.
    int log_fd;
    /// Whether a guard is to be there before anything is started.
    int is_guarded;
    /// The supervisor's arguments, without the program's name. NULL-terminated.
    char *const *arguments;
    char *const *environment;
};

struct orch_succession {
    /// The keeper's program, and the supervisor's.
    int keeper_fd;
    int program_fd;
    const char *state_directory;
    /// What is handed over: the lock, the records, the alarm, and what is held.
    struct orch_handover handover;
    const struct orch_held *held;
    /// The soft limit of open files the keeper was started with. 0: as it is.
    uint64_t descriptor_limit;
    /// The supervisor's, without the program's name. NULL-terminated.
    char *const *arguments;
    char *const *environment;
};

/// Turns this process into the project's keeper: same pid, same children, and the lock is never free. Returns only when
/// that can't be: -errno, with everything as it was.
int orch_become_keeper(const struct orch_succession *succession);

/// Returns 0 when the keeper was started and lives detached from the caller, else -errno.
int orch_launch_keeper(const struct orch_launch_request *request);
