#define _GNU_SOURCE
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// Who lives, as of the last look and the one before, each in the order of the pids: what stays is found again in passing.
enum { MOST_MEMBERS = 65536, MOST_AWAITED = 32768 };
static struct member lists[2][MOST_MEMBERS];
static uint32_t counts[2];
static int current;

/// The ward a process belongs to by what it inherited, or -1.
static int32_t ward_of(int32_t pid) {
    const struct orch_records *records = &guarded.records;
    uint32_t slot;
    uint64_t mark = orch_process_mark(pid, records->header->nonce);
    if (mark) return orch_mark_slot(records, mark, &slot) && wards[slot].phase != WARD_GONE ? (int32_t)slot : -1;
    pid_t session = getsid(pid);
    if (session <= 0) return -1;
    for (uint32_t at = 0; at < guarded.ward_count; at++) {
        const struct ward *ward = &wards[at];
        if (ward->phase == WARD_GONE || ward->pid != session || ward->pidfd < 0) continue;
        // It still lives, so the number was its own just now.
        return orch_pidfd_has_ended(ward->pidfd) ? -1 : (int32_t)at;
    }
    return -1;
}

static bool is_alive(int32_t pid) {
    struct orch_process_facts facts;
    return orch_process_look(pid, &facts) == 0 && facts.state != 'Z' && facts.state != 'X';
}

static struct member *add(int32_t pid, int32_t slot, int pidfd, bool was_signalled) {
    if (counts[current] == MOST_MEMBERS) {
        if (pidfd >= 0) close(pidfd);
        return NULL;
    }
    struct member *member = &lists[current][counts[current]++];
    *member = (struct member){.pid = pid, .slot = (uint16_t)slot, .was_signalled = was_signalled, .pidfd = pidfd};
    wards[slot].living++;
    return member;
}

/// Whether its process is held since the last look and still lives: then it is ours whatever it did since.
static bool keep(struct member *known) {
    if (known->pidfd < 0 || orch_pidfd_has_ended(known->pidfd)) return false;
    add(known->pid, known->slot, known->pidfd, known->was_signalled);
    known->pidfd = -1;
    return true;
}

static void meet(int32_t pid, int32_t slot) {
    int pidfd = orch_pidfd_open(pid);
    if (pidfd < 0 && pidfd != -EMFILE && pidfd != -ENFILE) return;
    // Once more, now that it is held: it is this one.
    bool is_ours = pidfd < 0 || (ward_of(pid) == slot && !orch_pidfd_has_ended(pidfd));
    if (is_ours && is_alive(pid)) {
        add(pid, slot, pidfd < 0 ? -1 : pidfd, false);
    } else if (pidfd >= 0) {
        close(pidfd);
    }
}

static void look_through(int proc) {
    struct member *known = lists[1 - current], *end = known + counts[1 - current];
    char entries[32768];
    for (long size; (size = syscall(SYS_getdents64, proc, entries, sizeof entries)) > 0;) {
        for (long at = 0; at < size;) {
            unsigned short length;
            memcpy(&length, entries + at + 16, sizeof length);
            int32_t pid = atoi(entries + at + 19);
            at += length;
            if (pid <= 0 || pid == getpid()) continue;
            while (known < end && known->pid < pid) known++;
            if (known < end && known->pid == pid && keep(known)) continue;
            int32_t slot = ward_of(pid);
            if (slot >= 0) meet(pid, slot);
        }
    }
}

/// Those in its cgroup that hide from `ward_of`: in a session of their own, with a mark of their own.
static void look_into_cgroup(uint32_t slot) {
    char path[64], text[4097];
    const struct orch_slot *record = &guarded.records.slots[slot];
    snprintf(path, sizeof path, "%u.%u/cgroup.procs", slot, record->generation);
    int fd = openat(guarded.cgroup, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    size_t kept = 0;
    for (ssize_t size; (size = read(fd, text + kept, sizeof text - 1 - kept)) > 0;) {
        text[kept + (size_t)size] = 0;
        char *at = text;
        for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
            int32_t pid = atoi(at);
            int pidfd = pid > 0 ? orch_pidfd_open(pid) : -1;
            if (pidfd >= 0 && is_alive(pid) && !orch_pidfd_has_ended(pidfd)) {
                add(pid, (int32_t)slot, pidfd, false);
            } else if (pidfd >= 0) {
                close(pidfd);
            }
        }
        kept = strlen(at);
        memmove(text, at, kept);
    }
    close(fd);
}

static int by_pid(const void *one, const void *other) {
    return ((const struct member *)one)->pid - ((const struct member *)other)->pid;
}

void find_members(void) {
    current = 1 - current;
    counts[current] = 0;
    for (uint32_t slot = 0; slot < guarded.ward_count; slot++) wards[slot].living = 0;
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc >= 0) {
        look_through(proc);
        close(proc);
    }
    for (uint32_t at = 0; at < counts[1 - current]; at++)
        if (lists[1 - current][at].pidfd >= 0) close(lists[1 - current][at].pidfd);
    uint32_t found = counts[current];
    for (uint32_t slot = 0; slot < guarded.ward_count; slot++) {
        const struct ward *ward = &wards[slot];
        if (ward->phase != WARD_GONE && ward->is_in_cgroup && ward->living == 0) look_into_cgroup(slot);
    }
    if (counts[current] > found) qsort(lists[current], counts[current], sizeof **lists, by_pid);
}

void signal_members(uint32_t slot, int signal) {
    struct member *members = lists[current];
    for (uint32_t at = 0; at < counts[current]; at++) {
        struct member *member = &members[at];
        if (member->slot != slot || (member->was_signalled && signal != SIGKILL)) continue;
        member->was_signalled = true;
        if (member->pidfd >= 0) {
            orch_pidfd_signal(member->pidfd, signal);
        } else {
            // Out of descriptors: held for just this.
            const struct orch_records *records = &guarded.records;
            orch_signal_member(
                member->pid, records->slots[slot].mark, records->header->nonce, wards[slot].pid, signal);
        }
    }
}

bool is_populated(uint32_t slot) {
    char path[64], text[128];
    snprintf(path, sizeof path, "%u.%u/cgroup.events", slot, guarded.records.slots[slot].generation);
    int fd = openat(guarded.cgroup, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno != ENOENT;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return false;
    text[size] = 0;
    return strstr(text, "populated 1") != NULL;
}

void kill_cgroup(uint32_t slot) {
    char path[64];
    snprintf(path, sizeof path, "%u.%u/cgroup.kill", slot, guarded.records.slots[slot].generation);
    int fd = openat(guarded.cgroup, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    // Where it can't be written the members are killed one by one, as everywhere.
    ssize_t ignored = write(fd, "1", 1);
    (void)ignored;
    close(fd);
}

static void remove_cgroup_of(uint32_t slot, uint32_t generation) {
    char path[64];
    snprintf(path, sizeof path, "%u.%u", slot, generation);
    unlinkat(guarded.cgroup, path, AT_REMOVEDIR);
}

void remove_cgroup(uint32_t slot) { remove_cgroup_of(slot, guarded.records.slots[slot].generation); }

void remove_empty_cgroups(void) {
    // The first slot that was never used may have one too.
    for (uint32_t slot = 0; slot <= guarded.ward_count && slot < ORCH_SLOT_COUNT; slot++) {
        remove_cgroup(slot);
        remove_cgroup_of(slot, orch_slot_next_generation(&guarded.records, slot));
    }
}

/// A leader's end is waited for while it has time to leave, everybody's once it is gone.
static bool is_awaited(const struct member *member) {
    const struct ward *ward = &wards[member->slot];
    if (ward->phase == WARD_STEPPING) return member->pid == ward->pid;
    return ward->phase == WARD_CLEARING || ward->phase == WARD_KILLING;
}

void await_members(int timeout_ms) {
    static struct pollfd pollers[MOST_AWAITED];
    nfds_t count = 0;
    bool are_all_awaited = true;
    for (uint32_t at = 0; at < counts[current]; at++) {
        const struct member *member = &lists[current][at];
        if (!is_awaited(member)) continue;
        if (member->pidfd < 0 || count == MOST_AWAITED) {
            are_all_awaited = false;
        } else {
            pollers[count++] = (struct pollfd){.fd = member->pidfd, .events = POLLIN};
        }
    }
    // Whoever can't be waited for is looked at again.
    if (!are_all_awaited && timeout_ms > 10) timeout_ms = 10;
    poll(pollers, count, timeout_ms);
}
