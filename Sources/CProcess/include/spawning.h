#pragma once

// The child side of a spawn: from clone to exec, every step with its own report.

#include "records.h"

enum {
    ORCH_STEP_NONE = 0,
    ORCH_STEP_CGROUP,
    ORCH_STEP_FORK,
    ORCH_STEP_SESSION,
    ORCH_STEP_LIMITS,
    ORCH_STEP_IDENTITY,
    ORCH_STEP_DESCRIPTORS,
    ORCH_STEP_DIRECTORY,
    ORCH_STEP_EXECUTE,
};

/// Which part of a step failed.
enum {
    ORCH_PART_NONE = 0,
    // Of ORCH_STEP_IDENTITY.
    ORCH_PART_GROUPS,
    ORCH_PART_GROUP,
    ORCH_PART_USER,
    ORCH_PART_NO_NEW_PRIVILEGES,
    // Of ORCH_STEP_LIMITS.
    ORCH_PART_NICE,
    /// And beyond: the limit of that number.
    ORCH_PART_LIMIT,
};

struct orch_limit {
    int32_t number;
    uint64_t soft;
    uint64_t hard;
};

/// Whom a child runs as and with what limits. Looked up beforehand: the child can ask nobody.
struct orch_identity {
    int has_groups, has_group, has_user, has_nice, gains_no_privileges;
    const uint32_t *groups;
    size_t group_count;
    uint32_t group, user;
    int32_t nice;
    const struct orch_limit *limits;
    size_t limit_count;
};

/// Only descriptors below are the child's until it executes, the keeper's socket and the lock among them.
/// As many as the kernel copies without a table of their own; every thread that spawns reserves some of them.
#define ORCH_LOW_DESCRIPTORS 64
#define ORCH_RESERVED_DESCRIPTORS 4

struct orch_spawn_request {
    /// What is executed, relative to `directory`. Found along PATH beforehand; where the child's identity may not execute
    /// it, the child looks on along the PATH of `environment`.
    const char *path;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    /// -1: /dev/null
    int standard_input;
    int standard_output;
    int standard_error;
    /// Three of the caller's descriptors below ORCH_LOW_DESCRIPTORS to put the standard ones on, so that the child's
    /// table needs to hold no others, however many the caller has open, and then one of /dev/null. All 0: the child copies
    /// the whole table.
    int reserved[ORCH_RESERVED_DESCRIPTORS];
    /// -1: stay in the caller's.
    int cgroup_fd;
    /// Whether the child is the keeper's (the caller's parent's), not the caller's.
    int is_keepers_child;
    /// Whether the caller keeps to a processor, as `orch_keep_to_processor` has it: the child does not.
    int leaves_processor;
    /// The soft limit of open files the child gets. 0: as it is.
    uint64_t descriptor_limit;
    /// The child's umask; the caller's is not for the child. 0 `has_umask`: as it is.
    int has_umask;
    uint32_t umask;
    uint64_t mark;
    struct orch_slot *slot;
    /// NULL: as the caller.
    const struct orch_identity *identity;
};

struct orch_spawn_result {
    int32_t pid;
    int pidfd;
    int step;
    int error;
    int part;
};

/// The caller's own limit. 0 or -errno.
int orch_limit_look(struct orch_limit *limit);

/// Reserves descriptors for `reserved`. All 0 when there are none low enough.
void orch_reserve_descriptors(int reserved[ORCH_RESERVED_DESCRIPTORS]);

/// Where a program is looked for when there is no PATH.
#define ORCH_DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/// Returns when the child has executed its program or given up. `pid` > 0 with a step: there is a child to be reaped.
void orch_spawn(const struct orch_spawn_request *request, struct orch_spawn_result *result);

/// Whether a process can be cloned into that cgroup. 0 or -errno.
int orch_try_cgroup(int cgroup_fd);

/// Finds the file to execute, as the child would: a name with a slash as it is, else along `search_path`, relative
/// entries against `directory`. Writes it to `found`. 0, -ENOENT, -EACCES (there is one, but it can't be executed), or
/// -ENAMETOOLONG.
int orch_find_executable(
    const char *name, const char *search_path, const char *directory, char *found, size_t capacity);
