#pragma once

// Spawn records: who was started, written so that no crash of the supervisor, the keeper or both hides a process.
//
// A file in the state directory, mapped shared by keeper, supervisor and (between clone and exec) each child. The child
// itself writes its identity before exec, so there is no instant at which it lives and is not on record.

#include <stddef.h>
#include <stdint.h>

/// The layout. Another one can't be read at all; what is added where there were zeros is a revision.
#define ORCH_RECORDS_VERSION 1u
/// 1: how each is stopped, what becomes of the project when nobody supervises it, and its guard.
/// 2: whether what a life before them left is to be looked for.
#define ORCH_RECORDS_REVISION 2u
#define ORCH_SLOT_COUNT 16384u
#define ORCH_SLOT_SIZE 256u
#define ORCH_HEADER_SIZE 4096u
#define ORCH_NAME_SIZE 128u
#define ORCH_CGROUP_SIZE 1024u

enum {
    /// Nobody's.
    ORCH_SLOT_FREE = 0,
    /// The supervisor is about to clone for it. Once nobody holds the supervisor's socket this means: no process.
    ORCH_SLOT_CLAIMED = 1,
    /// Written by the child: pid, start time and mark are valid.
    ORCH_SLOT_RUNNING = 2,
    /// The leader ended and `exit_kind` (CLD_EXITED, …), `exit_value` are valid.
    ORCH_SLOT_EXITED = 3,
    /// Written by a child that could not exec.
    ORCH_SLOT_FAILED = 4,
};

enum {
    ORCH_KIND_SIDECAR = 0,
    ORCH_KIND_HOOK = 1,
    ORCH_KIND_PROBE = 2,
    /// Of a sidecar that runs a process for each client: one of them. Its `incarnation` is the client's number.
    ORCH_KIND_CLIENT = 3,
};

enum {
    /// It was cloned into the cgroup named after its slot.
    ORCH_SLOT_IN_CGROUP = 1,
    /// It ended while nobody could look.
    ORCH_SLOT_STATUS_UNKNOWN = 2,
    /// `max_rss_kib` is what it used, and no longer what its supervisor had when it was cloned.
    ORCH_SLOT_PEAK_IS_KNOWN = 4,
};

enum {
    ORCH_SUPERVISOR_ABSENT = 0,
    ORCH_SUPERVISOR_RUNNING = 1,
    ORCH_SUPERVISOR_BACKING_OFF = 2,
    /// It died too often in too short a time; still tried again, slowly. Where nothing ran the keeper has ended: then there
    /// is no pid of one.
    ORCH_SUPERVISOR_BROKEN = 3,
};

/// What becomes of the project when keeper and supervisor are both lost.
enum {
    /// Nothing runs, or it was never said: it lives on.
    ORCH_ON_EXIT_NONE = 0,
    ORCH_ON_EXIT_KEEP = 1,
    /// The guard ends it, or the next command where the guard was lost too.
    ORCH_ON_EXIT_STOP = 2,
    /// The guard has ended it.
    ORCH_ON_EXIT_ENDED = 3,
};

enum { ORCH_STOP_MIXED = 0, ORCH_STOP_GROUP = 1, ORCH_STOP_LEADER = 2 };
enum { ORCH_STOP_STEPS = 4 };

struct orch_stop_step {
    uint32_t signal;
    uint32_t wait_ms;
};

/// How a process is stopped by whoever has nothing but the records.
struct orch_stop {
    /// Those of the highest rank leave first: a dependent's is above those of all that it depends on.
    uint16_t rank;
    uint8_t target;
    /// 0: not on record, so SIGTERM and 10 s.
    uint8_t step_count;
    uint32_t unused;
    /// SIGKILL follows.
    struct orch_stop_step steps[ORCH_STOP_STEPS];
};

struct orch_slot {
    uint32_t state;
    uint32_t kind;
    uint32_t generation;
    uint32_t flags;
    int32_t pid;
    int32_t exit_kind;
    int32_t exit_value;
    int32_t failed_errno;
    /// Field 22 of /proc/PID/stat: with the pid and the boot, the process's identity.
    uint64_t start_time;
    uint64_t incarnation;
    /// The value of RLIMIT_RTTIME it carries, and all its descendants. 0: none could be set.
    uint64_t mark;
    /// CLOCK_BOOTTIME
    uint64_t exited_at_ns;
    uint64_t cpu_time_us;
    uint64_t max_rss_kib;
    /// Which keeper it is a child of, as `orch_records_keeper` says. 0: none.
    uint64_t keeper;
    struct orch_stop stop;
    char name[ORCH_NAME_SIZE];
};

struct orch_records_header {
    char magic[8];
    uint32_t version;
    uint32_t slot_size;
    uint32_t slot_count;
    /// Slots at and beyond this one were never used.
    uint32_t used_slots;
    uint64_t boot_hash;
    uint64_t pid_namespace;
    uint32_t nonce;
    uint32_t supervisor_state;
    int32_t keeper_pid;
    int32_t supervisor_pid;
    uint64_t keeper_start_time;
    uint32_t supervisor_deaths;
    uint32_t malformed_messages;
    uint32_t unattributed_orphans;
    uint32_t unwatched_leaders;
    /// The cgroup that holds those of the spawns, as a path under a mount of cgroup2. Empty: none.
    char cgroup[ORCH_CGROUP_SIZE];
    /// CLOCK_BOOTTIME of the last death by which the supervisor was broken. 0: it never was.
    int64_t broken_at_ns;
    /// Of who wrote last. What it does not know of is left as it is.
    uint32_t revision;
    uint32_t on_exit;
    /// 0: there is none.
    int32_t guard_pid;
    /// What an earlier keeper left is to be ended, and was not yet.
    uint32_t must_end;
    uint64_t guard_start_time;
    /// The keeper's and the supervisor's programs were exchanged so often while it lived.
    uint32_t upgrades;
    /// The errno of the last upgrade that failed, 0 after one that worked.
    uint32_t upgrade_errno;
    /// They are new: a life before them, whose records were lost, may have left something running.
    uint32_t must_search;
    /// Of a slot that was never used: its first one follows. Drawn, so that no mark is one of a life before these records.
    uint32_t generation_before_first;
};

struct orch_records {
    struct orch_records_header *header;
    struct orch_slot *slots;
    int fd;
};

/// Of the supervisor; wakes whoever waits for it.
void orch_records_set_supervisor_state(const struct orch_records *records, uint32_t state);
/// Waits until it is no longer this one, or the time is up. Returns what it is then.
uint32_t orch_records_await_change(const struct orch_records *records, uint32_t state, int64_t timeout_ms);

/// Opens or creates `spawns` under the directory and maps it. Records of another boot or pid namespace are moved aside,
/// as nothing in them can be proved. Returns 0 or -errno; -EPROTONOSUPPORT: of this boot, in another version's layout.
int orch_records_open(int directory_fd, struct orch_records *records);
/// What marks the processes of the project with its state in that directory, as new records there have it.
/// - directory: absolute, without links
uint32_t orch_records_nonce(const char *directory);
/// Maps an inherited descriptor. Returns 0 or -errno (-EPROTO: not such a file).
int orch_records_map(int fd, struct orch_records *records);
/// The same to be looked at alone, by a descriptor that need not be open for writing: who writes there ends by SIGSEGV.
int orch_records_view(int fd, struct orch_records *records);
void orch_records_unmap(struct orch_records *records);

/// To be called for each slot before its first use. Backs it with real blocks, so that a full disk is an error here and not a SIGBUS later. 0 or -errno.
int orch_records_reserve(const struct orch_records *records, uint32_t slot);

/// Which generation the slot will have once it is claimed again.
uint32_t orch_slot_next_generation(const struct orch_records *records, uint32_t slot);
/// Makes the slot CLAIMED, with the next generation. The caller has seen it FREE.
void orch_slot_claim(
    const struct orch_records *records, uint32_t slot, uint32_t kind, uint64_t incarnation, const char *name);
uint64_t orch_slot_mark_value(const struct orch_records *records, uint32_t slot);
/// Whether the value is a mark of this project; then also of which slot.
int orch_mark_slot(const struct orch_records *records, uint64_t mark, uint32_t *slot);

/// A number for the keeper there is, by its start time and pid: two may have started within the clock's tick. 0: none.
uint64_t orch_records_keeper(const struct orch_records *records);
struct orch_slot *orch_slot_at(const struct orch_records *records, uint32_t slot);
uint32_t orch_slot_state(const struct orch_slot *slot);
void orch_slot_set_state(struct orch_slot *slot, uint32_t state);
/// How it is to be stopped: whatever stands there, what comes back can be followed. Without a record: SIGTERM and 10 s.
struct orch_stop orch_slot_stop(const struct orch_slot *slot);
const char *orch_slot_name(const struct orch_slot *slot);
const char *orch_records_cgroup(const struct orch_records *records);
/// -ENAMETOOLONG when it doesn't fit.
int orch_records_set_cgroup(const struct orch_records *records, const char *path);

/// A number for this boot, from the kernel's boot id. 0 when it can't be read.
uint64_t orch_boot_hash(void);
