#define _GNU_SOURCE
#include "guard.h"
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct guarded guarded = {.cgroup = -1};
struct ward wards[ORCH_SLOT_COUNT];

static const int64_t remains_grace_ns = 2LL * 1000000000;
static const int64_t kill_patience_ns = 5LL * 1000000000;

/// Blocks until neither the keeper nor the supervisor, nor a child of theirs before its exec, holds the other end.
static void await_alarm(int alarm) {
    struct pollfd poller = {.fd = alarm, .events = POLLIN};
    for (;;) {
        char byte;
        if (poll(&poller, 1, -1) < 0) continue;
        ssize_t size = read(alarm, &byte, 1);
        if (size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN)) return;
    }
}

/// A later guard watches over the project: it was not the keeper that was lost, only our alarm.
static bool is_replaced(void) {
    const struct orch_records_header *header = guarded.records.header;
    int32_t pid = __atomic_load_n(&header->guard_pid, __ATOMIC_ACQUIRE);
    if (pid <= 0 || pid == getpid()) return false;
    int fd = orch_pidfd_open_proven(pid, header->guard_start_time);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static bool must_end(void) {
    return __atomic_load_n(&guarded.records.header->on_exit, __ATOMIC_ACQUIRE) == ORCH_ON_EXIT_STOP;
}

/// Not a hook's or a probe's.
static bool is_sidecars(const struct orch_slot *record) {
    return record->kind == ORCH_KIND_SIDECAR || record->kind == ORCH_KIND_CLIENT;
}

static void take_ward(uint32_t slot) {
    struct orch_slot *record = &guarded.records.slots[slot];
    struct ward *ward = &wards[slot];
    uint32_t state = orch_slot_state(record);
    if (state == ORCH_SLOT_FREE) return;
    if (state != ORCH_SLOT_RUNNING && state != ORCH_SLOT_EXITED) {
        // It never ran its program, and nobody is left who might still do so.
        orch_slot_set_state(record, ORCH_SLOT_FREE);
        return;
    }
    *ward = (struct ward){.phase = WARD_WAITING, .pidfd = -1, .stop = orch_slot_stop(record)};
    ward->is_in_cgroup = (record->flags & ORCH_SLOT_IN_CGROUP) != 0 && guarded.cgroup >= 0;
    if (state == ORCH_SLOT_RUNNING) ward->pidfd = orch_pidfd_open_proven(record->pid, record->start_time);
    if (ward->pidfd >= 0) {
        ward->pid = record->pid;
    } else {
        ward->pidfd = -1;
    }
    if (!is_sidecars(record)) {
        // Hooks and probes have nobody left to answer to, and nobody depends on them.
        ward->stop = (struct orch_stop){.rank = UINT16_MAX, .step_count = 1};
        ward->stop.steps[0] = (struct orch_stop_step){.signal = SIGTERM, .wait_ms = 2000};
    }
}

static void look_at_leader(struct ward *ward) {
    if (ward->pidfd < 0 || !orch_pidfd_has_ended(ward->pidfd)) return;
    close(ward->pidfd);
    ward->pidfd = -1;
    ward->pid = 0;
}

static void begin_kill(struct ward *ward, int64_t now) {
    ward->phase = WARD_KILLING;
    ward->deadline_ns = now + kill_patience_ns;
}

static void begin_clearing(uint32_t slot, int64_t now) {
    struct ward *ward = &wards[slot];
    const struct orch_stop_step *step = &ward->stop.steps[ward->step];
    bool was_stepping = ward->phase == WARD_STEPPING;
    ward->phase = WARD_CLEARING;
    if (!was_stepping) ward->deadline_ns = now + step->wait_ms * 1000000LL;
    if (ward->deadline_ns < now + remains_grace_ns) ward->deadline_ns = now + remains_grace_ns;
    if (ward->stop.target != ORCH_STOP_LEADER) signal_members(slot, (int)step->signal);
}

static void begin_step(uint32_t slot, uint8_t number, int64_t now) {
    struct ward *ward = &wards[slot];
    const struct orch_stop_step *step = &ward->stop.steps[number];
    ward->phase = WARD_STEPPING;
    ward->step = number;
    ward->deadline_ns = now + step->wait_ms * 1000000LL;
    bool is_group = ward->stop.target == ORCH_STOP_GROUP;
    if (is_group && orch_pidfd_signal_group(ward->pidfd, (int)step->signal) == 0) return;
    orch_pidfd_signal(ward->pidfd, (int)step->signal);
}

static void end_ward(uint32_t slot) {
    wards[slot].phase = WARD_GONE;
    if (wards[slot].is_in_cgroup) remove_cgroup(slot);
    orch_slot_set_state(&guarded.records.slots[slot], ORCH_SLOT_FREE);
}

/// What is to be done with a ward now that it is known who lives of it.
static void advance(uint32_t slot, int64_t now) {
    struct ward *ward = &wards[slot];
    switch (ward->phase) {
    case WARD_GONE:
    case WARD_STUCK:
        return;
    case WARD_WAITING:
        if (ward->pidfd >= 0) {
            begin_step(slot, 0, now);
        } else {
            begin_clearing(slot, now);
        }
        return;
    case WARD_STEPPING:
        if (ward->pidfd < 0) {
            begin_clearing(slot, now);
        } else if (now >= ward->deadline_ns && ward->step + 1 < ward->stop.step_count) {
            begin_step(slot, ward->step + 1, now);
        } else if (now >= ward->deadline_ns) {
            begin_kill(ward, now);
        }
        break;
    case WARD_CLEARING:
        if (now >= ward->deadline_ns) {
            begin_kill(ward, now);
        } else if (ward->stop.target != ORCH_STOP_LEADER) {
            signal_members(slot, (int)ward->stop.steps[ward->step].signal);
        }
        break;
    case WARD_KILLING:
        if (now >= ward->deadline_ns) {
            ward->phase = WARD_STUCK;
            say("the guard could not end '%.127s'", guarded.records.slots[slot].name);
            return;
        }
        break;
    }
    if (ward->phase != WARD_KILLING) return;
    if (ward->is_in_cgroup) kill_cgroup(slot);
    signal_members(slot, SIGKILL);
}

static bool lives(const struct ward *ward) { return ward->phase != WARD_GONE && ward->phase != WARD_STUCK; }

/// One look at everything, and what follows from it. Returns until when nothing more is to be done; 0 when all is over.
static int64_t go_round(void) {
    find_members();
    int64_t now = now_ns(), next = INT64_MAX;
    int32_t rank = -1;
    for (uint32_t slot = 0; slot < guarded.ward_count; slot++) {
        struct ward *ward = &wards[slot];
        if (!lives(ward)) continue;
        look_at_leader(ward);
        bool is_empty = ward->pidfd < 0 && ward->living == 0 && !(ward->is_in_cgroup && is_populated(slot));
        if (is_empty) end_ward(slot);
        bool counts = lives(ward) && is_sidecars(&guarded.records.slots[slot]);
        if (counts && ward->stop.rank > rank) rank = ward->stop.rank;
    }
    bool is_over = true;
    for (uint32_t slot = 0; slot < guarded.ward_count; slot++) {
        struct ward *ward = &wards[slot];
        if (!lives(ward)) continue;
        if (ward->phase != WARD_WAITING || ward->stop.rank >= rank) advance(slot, now);
        if (!lives(ward)) {
            // What waited for it goes on in the next round, at once.
            next = now;
            continue;
        }
        is_over = false;
        if (ward->phase != WARD_WAITING && ward->deadline_ns < next) next = ward->deadline_ns;
        // Nobody of it can be waited for: killed, or on its way out of a cgroup, which is populated for a moment longer
        // than its last process is seen. It is looked at again.
        bool is_unseen = ward->phase == WARD_CLEARING && ward->living == 0;
        if (ward->phase == WARD_KILLING && ward->pidfd < 0) is_unseen = true;
        if (is_unseen && next > now + 10000000) next = now + 10000000;
    }
    return is_over && next == INT64_MAX ? 0 : next;
}

static void end_all(void) {
    const struct orch_records *records = &guarded.records;
    guarded.ward_count = records->header->used_slots < ORCH_SLOT_COUNT ? records->header->used_slots : ORCH_SLOT_COUNT;
    if (records->header->cgroup[0])
        guarded.cgroup = open(records->header->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (uint32_t slot = 0; slot < guarded.ward_count; slot++) take_ward(slot);
    for (int64_t next; (next = go_round()) != 0;) {
        int64_t rest = next - now_ns();
        int timeout = rest <= 0 ? 0 : rest / 1000000 >= INT32_MAX ? INT32_MAX : (int)((rest + 999999) / 1000000);
        await_members(timeout);
    }
    if (guarded.cgroup < 0) return;
    remove_empty_cgroups();
    rmdir(records->header->cgroup);
}

int run_guard(const char *descriptors) {
    int alarm, file, lock;
    if (sscanf(descriptors, "%d,%d,%d", &alarm, &file, &lock) != 3) return 64;
    orch_set_process_name("orchestrate-guard");
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    // Ctrl-C, and whoever ends a whole group, means those we wait for.
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    if (chdir("/") < 0 || orch_records_map(file, &guarded.records) < 0) {
        say("the guard cannot read the spawn records");
        return 1;
    }
    await_alarm(alarm);
    // What started meanwhile holds the lock and decides; what ended meanwhile said that nothing is to be done.
    if (!must_end() || is_replaced() || lock_patiently(lock) != 0 || !must_end()) return 0;
    struct orch_records_header *header = guarded.records.header;
    struct orch_process_facts facts;
    if (orch_process_look(getpid(), &facts) == 0) header->guard_start_time = facts.start_time;
    header->guard_pid = getpid();
    say("keeper and supervisor were lost; the guard ends what they left");
    orch_raise_descriptor_limit();
    end_all();
    header->keeper_pid = 0;
    header->supervisor_pid = 0;
    __atomic_store_n(&header->on_exit, ORCH_ON_EXIT_ENDED, __ATOMIC_RELEASE);
    header->guard_pid = 0;
    return 0;
}
