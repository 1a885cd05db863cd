#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Leaders that ended and of which something may remain, and those that are being killed.
static uint16_t open_slots[ORCH_SLOT_COUNT];
static uint32_t open_count;

// Reaped only after a whole reading of our children: while nothing leaves the list, nothing in it is skipped.
enum { ZOMBIES_AT_ONCE = 1024 };
static int32_t zombies[ZOMBIES_AT_ONCE];
static uint32_t zombie_count;

void open_leader(uint32_t slot) {
    keeper.must_sweep = true;
    if (leaders[slot].is_open) return;
    leaders[slot].is_open = true;
    open_slots[open_count++] = (uint16_t)slot;
}

void close_leader(uint32_t slot) {
    if (!leaders[slot].is_open) return;
    leaders[slot].is_open = false;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < open_count; at++)
        if (open_slots[at] != slot) open_slots[kept++] = open_slots[at];
    open_count = kept;
}

static void reap_orphan(int32_t pid) {
    siginfo_t information;
    while (waitid(P_PID, (id_t)pid, &information, WEXITED | WNOHANG | __WALL) < 0 && errno == EINTR) {}
}

/// The slot whose record names this pid as its leader, which we were not told of yet. -1: none.
static int32_t unannounced_slot(int32_t pid) {
    const struct orch_records *records = &keeper.records;
    uint32_t used = __atomic_load_n(&records->header->used_slots, __ATOMIC_ACQUIRE);
    uint64_t mark = orch_process_mark(pid, records->header->nonce);
    uint32_t first = 0, last = used < ORCH_SLOT_COUNT ? used : ORCH_SLOT_COUNT;
    // Without a mark (it could not be set) every slot has to be looked at.
    if (mark && orch_mark_slot(records, mark, &first)) last = first + 1;
    for (uint32_t slot = first; slot < last; slot++) {
        uint32_t state = orch_slot_state(&records->slots[slot]);
        bool has_leader = state == ORCH_SLOT_RUNNING || state == ORCH_SLOT_FAILED;
        if (has_leader && records->slots[slot].pid == pid && leaders[slot].pid == 0) return (int32_t)slot;
    }
    return -1;
}

void reap(void) {
    keeper.must_reap = false;
    check_unwatched();
    for (;;) {
        siginfo_t information = {0};
        // A leader that ended is held until it is released, and hides those behind it; the release comes back here.
        if (waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0) {
            if (errno == EINTR) continue;
            return;
        }
        pid_t pid = information.si_pid;
        if (pid == 0) break;
        if (pid == keeper.supervisor.pid || pid == keeper.guard.pid || slot_of(pid) >= 0) break;
        int32_t slot = unannounced_slot(pid);
        if (slot >= 0) {
            if (!take_up((uint32_t)slot, pid)) break;
            leader_ended((uint32_t)slot);
            break;
        }
        reap_orphan(pid);
    }
    if (open_count > 0) keeper.must_sweep = true;
}

/// Whether the name of a leader (`web/0`, `web/0:probe`) is that of the instance.
static bool is_name_of(const char *name, const char *instance) {
    size_t length = strlen(instance);
    return strncmp(name, instance, length) == 0 && (name[length] == 0 || name[length] == ':');
}

/// What a process was started with, one after the other, each with its NUL. Empty: not to be read.
static const char *environment_of(int32_t pid) {
    // Beyond that it is not looked at; takes memory only where it is used.
    static char text[(1 << 20) + 2];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t kept = 0;
    ssize_t size = 0;
    while (fd >= 0 && kept < sizeof text - 2 && (size = read(fd, text + kept, sizeof text - 2 - kept)) > 0)
        kept += (size_t)size;
    if (fd >= 0) close(fd);
    text[kept] = text[kept + 1] = 0;
    return text;
}

/// Whether a sidecar of that instance, or one that serves a client of it, lives.
static bool has_living_leader(const char *instance) {
    const struct orch_records *records = &keeper.records;
    uint32_t used = __atomic_load_n(&records->header->used_slots, __ATOMIC_ACQUIRE);
    for (uint32_t slot = 0; slot < used && slot < ORCH_SLOT_COUNT; slot++) {
        const struct orch_slot *record = &records->slots[slot];
        bool is_sidecars = record->kind == ORCH_KIND_SIDECAR || record->kind == ORCH_KIND_CLIENT;
        if (leaders[slot].pid != 0 && !leaders[slot].has_exited && is_sidecars && is_name_of(record->name, instance))
            return true;
    }
    return false;
}

/// The ended leader whose instance the orphan's environment names, or -1. A hint, and good enough between those of one
/// project: that it is ours is known, as it is our child.
static int32_t owner_by_environment(int32_t pid) {
    const char *sidecar = NULL, *replica = NULL;
    for (const char *entry = environment_of(pid); *entry; entry += strlen(entry) + 1) {
        if (strncmp(entry, "ORCHESTRATE_SIDECAR=", 20) == 0) sidecar = entry + 20;
        if (strncmp(entry, "ORCHESTRATE_REPLICA=", 20) == 0) replica = entry + 20;
    }
    if (!sidecar || !replica) return -1;
    char instance[ORCH_NAME_SIZE + 16];
    snprintf(instance, sizeof instance, "%s/%s", sidecar, replica);
    // It may be that one's, and not the ended check's or client's.
    if (has_living_leader(instance)) return -1;
    for (uint32_t at = 0; at < open_count; at++)
        if (is_name_of(keeper.records.slots[open_slots[at]].name, instance)) return open_slots[at];
    return -1;
}

/// The ended leader an orphan belongs to, or -1.
static int32_t owner_of(int32_t pid) {
    uint32_t slot;
    uint64_t mark = orch_process_mark(pid, keeper.records.header->nonce);
    if (mark) return orch_mark_slot(&keeper.records, mark, &slot) ? (int32_t)slot : -1;
    // A session keeps its leader's number from being given away, even after that one was reaped.
    pid_t session = getsid(pid);
    for (uint32_t at = 0; at < open_count; at++)
        if (leaders[open_slots[at]].pid == session) return open_slots[at];
    // A program may have set the limit that is our mark, and made a session of its own. Or it is a leader that was only
    // just started where no mark can be set.
    if (unannounced_slot(pid) >= 0) return -1;
    int32_t owner = owner_by_environment(pid);
    // Where all leaders have ended, whatever still lives is left by them.
    return owner < 0 && keeper.living == 0 && open_count > 0 ? open_slots[0] : owner;
}

static void meet_orphan(int32_t pid) {
    siginfo_t information = {0};
    if (waitid(P_PID, (id_t)pid, &information, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0) return;
    if (information.si_pid == pid) {
        if (zombie_count < ZOMBIES_AT_ONCE && unannounced_slot(pid) < 0) zombies[zombie_count++] = pid;
        return;
    }
    int32_t slot = owner_of(pid);
    if (slot < 0) {
        keeper.records.header->unattributed_orphans++;
        return;
    }
    struct leader *leader = &leaders[slot];
    if (!leader->is_open || leader->pid == pid) return;
    leader->remaining++;
    // An unreaped child of ours: its number can't have become another's.
    if (leader->is_killing) kill(pid, SIGKILL);
    if (leader->signal == 0) return;
    uint64_t mark = keeper.records.slots[slot].mark;
    orch_signal_descendants(pid, mark, keeper.records.header->nonce, leader->pid, leader->signal);
    kill(pid, leader->signal);
}

static void meet_child(int32_t pid) {
    bool is_known = pid == keeper.supervisor.pid || pid == keeper.guard.pid || slot_of(pid) >= 0;
    if (pid > 0 && !is_known) meet_orphan(pid);
}

// Whatever lives of a leader that ended has an ancestor among our children: orphans come to the end of the list at the
// moment their parent ends, and the list is read until nothing follows, each piece dealt with before the next is read.
static void read_children(void) {
    char text[4200];
    size_t kept = 0;
    if (lseek(keeper.children, 0, SEEK_SET) < 0) return;
    for (;;) {
        ssize_t size = read(keeper.children, text + kept, 4096);
        if (size <= 0) return;
        size += (ssize_t)kept;
        text[size] = 0;
        char *at = text;
        for (char *end; (end = strchr(at, ' ')) != NULL; at = end + 1) meet_child(atoi(at));
        kept = strlen(at);
        // A number has fewer digits than that; anything longer is no list of children.
        if (kept > 64) kept = 0;
        memmove(text, at, kept);
    }
}

void sweep(void) {
    keeper.must_sweep = false;
    for (uint32_t at = 0; at < open_count; at++) leaders[open_slots[at]].remaining = 0;
    zombie_count = 0;
    keeper.records.header->unattributed_orphans = 0;
    read_children();
    for (uint32_t at = 0; at < zombie_count; at++) reap_orphan(zombies[at]);
    uint32_t kept = 0;
    for (uint32_t at = 0; at < open_count; at++) {
        uint32_t slot = open_slots[at];
        struct leader *leader = &leaders[slot];
        if (!leader->is_open) continue;
        leader->signal = 0;
        if (leader->remaining > 0 || !leader->has_exited) {
            open_slots[kept++] = (uint16_t)slot;
            continue;
        }
        leader->is_open = false;
        leader->is_killing = false;
        queue_empty(slot);
    }
    open_count = kept;
}
