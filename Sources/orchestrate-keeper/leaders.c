#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct leader leaders[ORCH_SLOT_COUNT];

// By pid, one more than the slot. Pages that hold no pid of ours take no memory: in a long life its pids come by all of
// them.
enum { PID_LIMIT = 1 << 22, TABLE_PAGE = 4096, PIDS_IN_PAGE = TABLE_PAGE / sizeof(uint16_t) };
static _Alignas(TABLE_PAGE) uint16_t slot_plus_one[PID_LIMIT + PIDS_IN_PAGE];
static uint16_t known_in_page[PID_LIMIT / PIDS_IN_PAGE + 1];

static void know_pid(int32_t pid, uint32_t slot) {
    if (slot_plus_one[pid] == 0) known_in_page[pid / PIDS_IN_PAGE]++;
    slot_plus_one[pid] = (uint16_t)(slot + 1);
}

/// It may be another leader's by now, once it was reaped.
static void forget_pid(int32_t pid, uint32_t slot) {
    if (slot_plus_one[pid] != slot + 1) return;
    slot_plus_one[pid] = 0;
    int32_t page = pid / PIDS_IN_PAGE;
    if (--known_in_page[page] == 0 && sysconf(_SC_PAGESIZE) == TABLE_PAGE)
        madvise(&slot_plus_one[page * PIDS_IN_PAGE], TABLE_PAGE, MADV_DONTNEED);
}

void prepare_leaders(void) {
    // One pid would take 2 MiB.
    madvise(slot_plus_one, sizeof slot_plus_one, MADV_NOHUGEPAGE);
}

int32_t slot_of(int32_t pid) {
    if (pid <= 0 || pid > PID_LIMIT) return -1;
    return (int32_t)slot_plus_one[pid] - 1;
}

/// Its status, left in place. 1: it ended, 0: it runs, -errno (-ECHILD: no child of ours).
static int look(int32_t pid, siginfo_t *information, struct rusage *usage) {
    memset(information, 0, sizeof *information);
    long result;
    do {
        result = syscall(SYS_waitid, P_PID, pid, information, WEXITED | WNOHANG | WNOWAIT | __WALL, usage);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    return information->si_pid == pid;
}

static void reap_pid(int32_t pid) {
    siginfo_t information;
    while (waitid(P_PID, (id_t)pid, &information, WEXITED | WNOHANG | __WALL) < 0 && errno == EINTR) {}
}

bool take_up(uint32_t slot, int32_t pid) {
    struct leader *leader = &leaders[slot];
    if (leader->pid == pid) return true;
    siginfo_t information;
    struct rusage usage;
    if (leader->pid != 0 || pid > PID_LIMIT || look(pid, &information, &usage) < 0) return false;
    *leader = (struct leader){.pid = pid, .pidfd = orch_pidfd_open(pid)};
    // A supervisor that became the keeper has children from before. Whoever is not told whose they are would not release
    // them.
    keeper.records.slots[slot].keeper = orch_records_keeper(&keeper.records);
    leader->is_in_cgroup = (keeper.records.slots[slot].flags & ORCH_SLOT_IN_CGROUP) != 0;
    know_pid(pid, slot);
    keeper.living++;
    if (leader->pidfd >= 0 && watch(leader->pidfd, EPOLLIN, watch_token(TAG_LEADER, slot)) < 0) {
        close(leader->pidfd);
        leader->pidfd = -1;
    }
    if (leader->pidfd < 0) {
        keeper.unwatched++;
        keeper.records.header->unwatched_leaders = keeper.unwatched;
        keeper.must_reap = true;
    }
    return true;
}

static void unwatch(struct leader *leader) {
    if (leader->pidfd < 0) {
        keeper.unwatched--;
        keeper.records.header->unwatched_leaders = keeper.unwatched;
        return;
    }
    close(leader->pidfd);
    leader->pidfd = -1;
}

static uint64_t microseconds(struct timeval time) { return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec; }

void leader_ended(uint32_t slot) {
    if (slot >= ORCH_SLOT_COUNT) return;
    struct leader *leader = &leaders[slot];
    siginfo_t information;
    struct rusage usage = {0};
    if (leader->pid == 0 || leader->has_exited || look(leader->pid, &information, &usage) != 1) return;
    leader->has_exited = true;
    keeper.living--;
    unwatch(leader);
    struct orch_slot *record = &keeper.records.slots[slot];
    if (orch_slot_state(record) != ORCH_SLOT_RUNNING) return;
    record->exit_kind = information.si_code;
    record->exit_value = information.si_status;
    record->exited_at_ns = (uint64_t)now_ns();
    record->cpu_time_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    // What it began with stays where its own was no more than that; the other threads of who cloned it may have added some.
    enum { slack_kib = 1024 };
    if ((uint64_t)usage.ru_maxrss > record->max_rss_kib + slack_kib) {
        record->max_rss_kib = (uint64_t)usage.ru_maxrss;
        record->flags |= ORCH_SLOT_PEAK_IS_KNOWN;
    }
    orch_slot_set_state(record, ORCH_SLOT_EXITED);
    leader->remaining = -1;
    if (keeper.supervisor.socket < 0) {
        reap_pid(leader->pid);
        forget_pid(leader->pid, slot);
        leader->was_reaped = true;
    }
    queue_exit(slot);
    if (!leader->is_in_cgroup) open_leader(slot);
}

void release_leader(uint32_t slot, int32_t pid) {
    struct leader *leader = &leaders[slot];
    struct orch_slot *record = &keeper.records.slots[slot];
    // A child that could not exec was never announced.
    if (leader->pid == 0) take_up(slot, pid);
    if (leader->pid != 0 && leader->pid != pid) return;
    if (leader->pid == pid) {
        if (!leader->has_exited) leader_ended(slot);
        if (!leader->has_exited) {
            keeper.records.header->malformed_messages++;
            return;
        }
        if (!leader->was_reaped) reap_pid(pid);
        forget_pid(pid, slot);
        close_leader(slot);
        *leader = (struct leader){0};
    } else if (orch_slot_state(record) == ORCH_SLOT_RUNNING && record->pid != pid) {
        return;
    }
    orch_slot_set_state(record, ORCH_SLOT_FREE);
    // It may have been what `reap` stopped at.
    keeper.must_reap = true;
}

static void take_up_ended(uint32_t slot, int32_t pid) {
    struct leader *leader = &leaders[slot];
    // Reaped as soon as no supervisor was there to release it, so its number says nothing any more.
    *leader = (struct leader){.pid = pid, .pidfd = -1, .remaining = -1, .has_exited = true, .was_reaped = true};
    leader->is_in_cgroup = (keeper.records.slots[slot].flags & ORCH_SLOT_IN_CGROUP) != 0;
    if (!leader->is_in_cgroup) open_leader(slot);
}

void take_up_recorded(void) {
    const struct orch_records_header *header = keeper.records.header;
    for (uint32_t slot = 0; slot < header->used_slots && slot < ORCH_SLOT_COUNT; slot++) {
        const struct orch_slot *record = &keeper.records.slots[slot];
        if (record->pid <= 0 || record->keeper != orch_records_keeper(&keeper.records)) continue;
        uint32_t state = orch_slot_state(record);
        if (state == ORCH_SLOT_RUNNING) take_up(slot, record->pid);
        if (state == ORCH_SLOT_EXITED) take_up_ended(slot, record->pid);
    }
}

void settle_without_supervisor(void) {
    uint32_t used = __atomic_load_n(&keeper.records.header->used_slots, __ATOMIC_ACQUIRE);
    for (uint32_t slot = 0; slot < used && slot < ORCH_SLOT_COUNT; slot++) {
        struct orch_slot *record = &keeper.records.slots[slot];
        struct leader *leader = &leaders[slot];
        switch (orch_slot_state(record)) {
        case ORCH_SLOT_CLAIMED:
            if (leader->pid == 0) orch_slot_set_state(record, ORCH_SLOT_FREE);
            break;
        case ORCH_SLOT_FAILED:
            release_leader(slot, record->pid);
            break;
        case ORCH_SLOT_RUNNING:
            if (leader->pid == 0) take_up(slot, record->pid);
            break;
        case ORCH_SLOT_EXITED:
            if (leader->pid == 0 || leader->was_reaped) break;
            reap_pid(leader->pid);
            forget_pid(leader->pid, slot);
            leader->was_reaped = true;
            break;
        }
    }
    keeper.must_reap = true;
}

bool are_slots_free(void) {
    uint32_t used = __atomic_load_n(&keeper.records.header->used_slots, __ATOMIC_ACQUIRE);
    for (uint32_t slot = 0; slot < used && slot < ORCH_SLOT_COUNT; slot++)
        if (orch_slot_state(&keeper.records.slots[slot]) != ORCH_SLOT_FREE) return false;
    return true;
}

void check_unwatched(void) {
    if (keeper.unwatched == 0) return;
    uint32_t used = __atomic_load_n(&keeper.records.header->used_slots, __ATOMIC_ACQUIRE);
    for (uint32_t slot = 0; slot < used && slot < ORCH_SLOT_COUNT; slot++)
        if (leaders[slot].pid > 0 && leaders[slot].pidfd < 0 && !leaders[slot].has_exited) leader_ended(slot);
}
