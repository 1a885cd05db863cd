#pragma once

// The guard: ends what a keeper and a supervisor left that were both lost. Until then it sleeps in one read. It knows what
// the spawn records say and signals nobody whom they don't prove.

#include "CProcess.h"

#include <stdbool.h>
#include <stdint.h>

enum ward_phase {
    /// Nothing of it lives.
    WARD_GONE = 0,
    /// What is to leave first has not left yet.
    WARD_WAITING,
    /// The leader was sent the signal of the step.
    WARD_STEPPING,
    /// The leader is gone, and what it left behind was sent the signal.
    WARD_CLEARING,
    WARD_KILLING,
    /// SIGKILL did not end it. It stays on record.
    WARD_STUCK,
};

/// One recorded process and all that descends from it.
struct ward {
    enum ward_phase phase;
    uint8_t step;
    bool is_in_cgroup;
    /// Of its leader; 0 and -1 once that has ended.
    int32_t pid;
    int pidfd;
    struct orch_stop stop;
    uint32_t living;
    int64_t deadline_ns;
};

/// A living process of a ward, held.
struct member {
    int32_t pid;
    uint16_t slot;
    bool was_signalled;
    int pidfd;
};

struct guarded {
    struct orch_records records;
    uint32_t ward_count;
    /// Of the cgroups' directory; -1: there is none.
    int cgroup;
};

extern struct guarded guarded;
extern struct ward wards[ORCH_SLOT_COUNT];

// members.c
/// Looks who lives of each ward.
void find_members(void);
/// Every member of the ward that was not signalled yet; with SIGKILL, every one.
void signal_members(uint32_t slot, int signal);
void kill_cgroup(uint32_t slot);
void remove_cgroup(uint32_t slot);
/// Those that were made for who never ran, and ahead for the next one to use a slot. Where somebody is, nothing happens.
void remove_empty_cgroups(void);
/// Whether someone lives in its cgroup whom we may not even see.
bool is_populated(uint32_t slot);
/// Until one of those ends who are waited for, or so long.
void await_members(int timeout_ms);
