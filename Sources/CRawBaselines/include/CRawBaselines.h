// The same work as a supervisor's, by the bare system calls: what the figures of `make bench` are set beside.
#ifndef C_RAW_BASELINES_H
#define C_RAW_BASELINES_H

#include <stdint.h>
#include <sys/types.h>

enum { STAMP_STARTED = 1, STAMP_READY = 2, STAMP_LINE_BYTES = 100 };

/// After the path of that FIFO: another one, which each bench-sidecar holds open for writing as long as it lives.
#define STAMP_ALIVE_SUFFIX ".alive"

/// What a bench-sidecar writes into its FIFO.
struct stamp_record {
    uint64_t nanoseconds;  // CLOCK_MONOTONIC
    int32_t pid;
    int32_t parent;
    uint32_t index;
    uint32_t event;
};

/// Spawns `count` sidecars (`mode`: "hold", …), as fast as posix_spawn goes. 0, or an errno.
int raw_spawn_all(const char *sidecar, const char *channel, const char *mode, int count, pid_t *pids);

/// SIGTERM to each.
void raw_signal_all(const pid_t *pids, int count);
/// Waits for each.
void raw_wait_all(const pid_t *pids, int count);

/// SIGTERM to each, then waits for each. The nanoseconds it took.
uint64_t raw_stop_all(const pid_t *pids, int count);

/// Kills `pid`, hears of it by a pidfd, reaps it, and spawns a successor, whose pid is stored.
/// The nanosecond at which it was killed, or 0 when a step failed.
uint64_t raw_replace(const char *sidecar, const char *channel, pid_t pid, pid_t *successor);

/// Each of `count` sidecars is spawned when the one before has said that it is ready. 0, or an errno.
int raw_chain(const char *sidecar, const char *channel_path, int channel, int count, pid_t *pids);

/// Each of `writers` sidecars writes `bytes` of lines into a pipe, `cat` copies each pipe into a file of `directory`.
/// The nanosecond (CLOCK_MONOTONIC) at which the last cat was done, or 0 when a step failed.
uint64_t raw_cat_logs(
    const char *sidecar, const char *channel, const char *directory, int writers, uint64_t bytes);

/// Reads a file and runs libyaml's parser over it, event by event. The nanoseconds, or 0 when it fails.
uint64_t raw_yaml_parse(const char *path);

/// One GET on a new connection to each of `count` ports of 127.0.0.1, from `first` on. The number answered with 200.
int raw_http_checks(int first, int count);

#endif
