#pragma once

// The keeper: parent of the sidecars, holder of what outlives the supervisor. It decides nothing. One thread, one epoll,
// no allocation while it runs: whatever the supervisor does, this stays up.

#include "CProcess.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/// A child of ours that leads a spawn, from the moment we know of it until its slot is released.
struct leader {
    int32_t pid;
    int pidfd;
    /// Of what its end left behind, by the last count.
    int32_t remaining;
    /// Sent to whatever is left, once. 0: nothing to send.
    uint8_t signal;
    bool has_exited;
    /// Nobody is left to ask for its status: its pid is no longer held.
    bool was_reaped;
    bool is_in_cgroup;
    /// Everything that remains or appears is killed.
    bool is_killing;
    /// It is counted what remains of it, until nothing does.
    bool is_open;
    bool exit_is_queued;
    bool empty_is_queued;
};

/// So many deaths within a minute: the supervisor is broken.
enum { DEATHS_ALLOWED = 5 };

struct supervisor {
    pid_t pid;
    int pidfd;
    int socket;
    bool is_ready;
    bool said_bye;
    /// When it last ended, the latest at `death_count - 1` modulo the length.
    int64_t deaths_ns[DEATHS_ALLOWED];
    uint32_t death_count;
    /// How it last ended, as waitid has it.
    int last_code;
    int last_status;
    int64_t started_at_ns;
    int64_t start_at_ns;
    uint32_t back_off_ms;
};

/// Of our child that outlives us only to end what we and the supervisor leave.
struct guard {
    pid_t pid;
    int pidfd;
    bool is_wanted;
    int64_t started_at_ns;
    int64_t start_at_ns;
    uint32_t back_off_ms;
};

struct keeper {
    struct orch_records records;
    struct supervisor supervisor;
    struct guard guard;
    /// A pipe whose writing end only the supervisor and we hold: its end is ours, and the guard waits for it.
    int alarm_reading;
    int alarm_writing;
    /// Our own program, to start a guard, or a keeper after us.
    int image;
    /// What to go on as, once the supervisor has ended. -1: as what we are.
    int next_program;
    int next_image;
    const char *state_directory;
    int epoll;
    int signals;
    int lock;
    int program;
    int ready;
    int children;
    char **supervisor_arguments;
    uint64_t descriptor_limit;
    bool must_reap;
    bool must_sweep;
    /// Of the leaders that have not exited.
    uint32_t living;
    /// Of the leaders watched without a pidfd, for want of descriptors.
    uint32_t unwatched;
};

extern struct keeper keeper;
extern struct leader leaders[ORCH_SLOT_COUNT];

enum { TAG_SIGNALS = 1, TAG_SUPERVISOR, TAG_SOCKET, TAG_LEADER, TAG_GUARD };
uint64_t watch_token(uint32_t tag, uint32_t value);
int watch(int fd, uint32_t events, uint64_t token);
int64_t now_ns(void);
/// Takes the project's lock. A child between clone and exec of an earlier life may still hold it: hence some patience.
/// -EINTR: somebody else keeps it.
int lock_patiently(int lock);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// supervisor.c
void supervisor_is_ready(void);
void start_supervisor(void);
void supervisor_ended(void);
void supervisor_socket_closed(void);
/// Milliseconds until it is to be started, -1 when nothing is due.
int supervisor_delay_ms(void);
void restart_supervisor_when_due(void);

// guarding.c
/// Makes the pipe, and starts a guard where one is wanted.
int prepare_guarding(void);
void want_guard(bool is_wanted);
void guard_ended(void);
int guard_delay_ms(void);
void restart_guard_when_due(void);
/// All is down: the guard has nothing to end.
void dismiss_guard(void);

// guard.c
/// The guard's whole life, from its descriptors: the alarm's reading end, the records, the project's lock.
int run_guard(const char *descriptors);

// handover.c
/// Takes over what an earlier keeper left in the file.
int take_over(int file);
/// Goes on as the next program. Returns when that can't be.
void become_next(void);

// leaders.c
/// Once, before the first is taken up.
void prepare_leaders(void);
/// Slot of the leader with this pid, or -1.
int32_t slot_of(int32_t pid);
/// Takes up a child of ours that runs in the slot. False: it is no child of ours.
bool take_up(uint32_t slot, int32_t pid);
void leader_ended(uint32_t slot);
void release_leader(uint32_t slot, int32_t pid);
/// After a handover: those that are our children by the records, whoever we were when they were cloned.
void take_up_recorded(void);
/// Without a supervisor: takes up what it never announced, and reaps what has ended.
void settle_without_supervisor(void);
/// Nothing is on record of a process: none lives, and none is to be told of.
bool are_slots_free(void);
void check_unwatched(void);

// orphans.c
/// Reaps what ended and is nobody's, and takes up leaders that ended before they were announced.
void reap(void);
/// Counts (and signals, where asked) what remains of the leaders that ended.
void sweep(void);
void open_leader(uint32_t slot);
void close_leader(uint32_t slot);

// mail.c
void receive_mail(void);
void queue_exit(uint32_t slot);
void queue_empty(uint32_t slot);
void flush_mail(void);
void forget_mail(void);
/// Keeps the descriptor open under the key, or closes it when there is no room.
void hold(uint64_t key, int fd);
/// All that is held. Returns how many.
uint32_t list_held(const struct orch_held **list);
