#define _GNU_SOURCE
#include "trials.h"
#include "cloning.h"
#include "netdiag.h"
#include "processes.h"
#include "rawcalls.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/// Starts a child that calls `trial` and exits with the errno it answers. Returns its pid or -errno.
static long start_trial(int (*trial)(void), int *pidfd) {
    struct clone_arguments arguments = {
        .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};
    long pid = RAW2(SYS_clone3, &arguments, sizeof arguments);
    if (pid != 0) return pid;
    int error = -trial();
    for (;;) RAW1(SYS_exit_group, error < 0 || error > 126 ? 126 : error);
}

/// Waits for the child by its pidfd, which stays open. What its trial answered, or -errno.
static int finish_trial(int pidfd) {
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    while (poll(&poller, 1, -1) < 0)
        if (errno != EINTR) return -errno;
    int kind = 0, value = 0;
    int error = orch_pidfd_reap(pidfd, &kind, &value);
    if (error < 0) return error;
    return kind == CLD_EXITED ? -value : -ECANCELED;
}

static int run_trial(int (*trial)(void)) {
    int pidfd = -1;
    long pid = start_trial(trial, &pidfd);
    if (pid < 0) return (int)pid;
    int error = finish_trial(pidfd);
    close(pidfd);
    return error;
}

static int do_nothing(void) { return 0; }

static int become_subreaper(void) {
    return (int)raw_call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0);
}

static int take_mark(void) {
    uint64_t limit[2];
    long error = RAW4(SYS_prlimit64, 0, RLIMIT_RTTIME, 0, limit);
    if (error < 0) return (int)error;
    uint64_t mark = (uint64_t)1 << 62 | 1;
    limit[0] = limit[1] < mark ? limit[1] : mark;
    return (int)RAW4(SYS_prlimit64, 0, RLIMIT_RTTIME, limit, 0);
}

int orch_try_clone3(void) { return run_trial(do_nothing); }
int orch_try_subreaper(void) { return run_trial(become_subreaper); }
int orch_try_mark(void) { return run_trial(take_mark); }

int orch_try_group_signal(void) {
    int self = orch_pidfd_open(getpid());
    if (self < 0) return self;
    // Signal 0 reaches nobody. Who leads no group is told so, by a kernel that knows of groups.
    int error = orch_pidfd_signal_group(self, 0);
    close(self);
    return error == -ESRCH ? 0 : error;
}

int orch_try_exit_status(void) {
    int pidfd = -1, kind, value;
    long pid = start_trial(do_nothing, &pidfd);
    if (pid < 0) return (int)pid;
    int error = finish_trial(pidfd);
    if (error == 0) error = orch_pidfd_exit_status(pidfd, &kind, &value);
    close(pidfd);
    return error;
}

int orch_try_close_range(void) {
    enum { close_range_cloexec = 1 << 2 };
    return (int)RAW3(SYS_close_range, ~0u - 1, ~0u, close_range_cloexec);
}

int orch_try_socket_diagnostics(void) {
    int fd = netdiag_open();
    if (fd < 0) return -errno;
    struct netdiag_socket found;
    const unsigned char loopback[4] = {127, 0, 0, 1};
    // Port 0 is nobody's: it is the answer that counts.
    int result = netdiag_listener(fd, AF_INET, loopback, 0, &found);
    int error = result < 0 ? -errno : 0;
    close(fd);
    return error;
}
