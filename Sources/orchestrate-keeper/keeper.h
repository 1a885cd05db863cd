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
    int64_t started_at_ns;
    int64_t start_at_ns;
    uint32_t back_off_ms;
};

struct keeper {
    struct orch_records records;
    struct supervisor supervisor;
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

enum { TAG_SIGNALS = 1, TAG_SUPERVISOR, TAG_SOCKET, TAG_LEADER };
uint64_t watch_token(uint32_t tag, uint32_t value);
int watch(int fd, uint32_t events, uint64_t token);
int64_t now_ns(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// supervisor.c
void supervisor_is_ready(void);
void start_supervisor(void);
void supervisor_ended(void);
void supervisor_socket_closed(void);
/// Milliseconds until it is to be started, -1 when nothing is due.
int supervisor_delay_ms(void);
void restart_supervisor_when_due(void);

// leaders.c
/// Slot of the leader with this pid, or -1.
int32_t slot_of(int32_t pid);
/// Takes up a child of ours that runs in the slot. False: it is no child of ours.
bool take_up(uint32_t slot, int32_t pid);
void leader_ended(uint32_t slot);
void release_leader(uint32_t slot, int32_t pid);
/// Without a supervisor: takes up what it never announced, and reaps what has ended.
void settle_without_supervisor(void);
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
