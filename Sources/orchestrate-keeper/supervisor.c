#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { FIRST_BACK_OFF_MS = 100, LONGEST_BACK_OFF_MS = 10000 };
static const int64_t minute_ns = 60LL * 1000000000;

enum {
    AT_SOCKET = 3,
    AT_LOCK = 4,
    AT_RECORDS = 5,
    AT_READY = 6,
    AT_PROGRAM = 7,
    AT_ALARM = 8,
    AT_IMAGE = 9,
    AT_RETURNED = 10,
    ABOVE_ALL = 16,
};

static void set_state(uint32_t state) { orch_records_set_supervisor_state(&keeper.records, state); }

static int place(int from, int to) { return from < 0 ? 0 : dup3(from, to, 0); }

static uint32_t count_returned(void) {
    const struct orch_held *all;
    uint32_t count = list_held(&all), returned = 0;
    for (uint32_t at = 0; at < count; at++)
        if (all[at].key & ORCH_HELD_RETURNED) returned++;
    return returned;
}

/// Copies of what the supervisor is given of what is held, above all targets. Returns how many there are.
static uint32_t copy_returned(struct orch_held *copies) {
    const struct orch_held *all;
    uint32_t count = list_held(&all), taken = 0;
    for (uint32_t at = 0; at < count; at++) {
        if (!(all[at].key & ORCH_HELD_RETURNED)) continue;
        int fd = fcntl(all[at].fd, F_DUPFD_CLOEXEC, ABOVE_ALL);
        if (fd >= 0) copies[taken++] = (struct orch_held){.key = all[at].key, .fd = fd};
    }
    return taken;
}

/// Says in a file at its place which is which. Without it they are lost to this supervisor, as if there were none.
static void pass_returned(const struct orch_held *copies, uint32_t count) {
    struct orch_handover handover = {.count = count, .lock = -1, .records = -1, .alarm = -1};
    int file = orch_handover_write(&handover, copies);
    int above = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, ABOVE_ALL);
    if (above < 0) return;
    for (uint32_t at = 0; at < count; at++) fcntl(copies[at].fd, F_SETFD, 0);
    place(above, AT_RETURNED);
}

static __attribute__((noreturn)) void become_supervisor(int socket, char **arguments) {
    uint32_t returned_count = count_returned();
    struct orch_held *returned = returned_count ? calloc(returned_count, sizeof *returned) : NULL;
    returned_count = returned ? copy_returned(returned) : 0;
    // Copies above all targets first: a source must not be overwritten before it was placed.
    int ends = fcntl(socket, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int lock = fcntl(keeper.lock, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int records = fcntl(keeper.records.fd, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int ready = keeper.ready < 0 ? -1 : fcntl(keeper.ready, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int program = fcntl(keeper.program, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int alarm = fcntl(keeper.alarm_writing, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int image = fcntl(keeper.image, F_DUPFD_CLOEXEC, ABOVE_ALL);
    bool are_placed = ends >= 0 && lock >= 0 && records >= 0 && program >= 0 && alarm >= 0 && image >= 0
        && (keeper.ready < 0 || ready >= 0) && place(ends, AT_SOCKET) >= 0 && place(lock, AT_LOCK) >= 0
        && place(records, AT_RECORDS) >= 0 && place(ready, AT_READY) >= 0
        && dup3(program, AT_PROGRAM, O_CLOEXEC) >= 0 && place(alarm, AT_ALARM) >= 0 && place(image, AT_IMAGE) >= 0;
    if (!are_placed) _exit(126);
    syscall(SYS_close_range, (unsigned)AT_IMAGE + 1, ~0u, 1u << 2);
    if (returned_count) pass_returned(returned, returned_count);
    struct rlimit limit;
    if (keeper.descriptor_limit && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = keeper.descriptor_limit;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    // Left ignored: whoever waited for the ready line may be gone when a later supervisor writes it.
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    syscall(SYS_execveat, AT_PROGRAM, "", arguments, environ, AT_EMPTY_PATH);
    say("cannot execute the supervisor: %s", strerrordesc_np(errno));
    _exit(127);
}

/// Name, the given arguments, and which descriptor is which.
static char **make_arguments(void) {
    static char **list;
    static char name[] = "orchestrate", descriptors[64];
    snprintf(
        descriptors, sizeof descriptors, "--keeper-descriptors=%d,%d,%d,%d,%d,%d,%d", AT_SOCKET, AT_LOCK,
        AT_RECORDS, keeper.ready < 0 ? -1 : AT_READY, AT_ALARM, AT_IMAGE, count_returned() ? AT_RETURNED : -1);
    if (list) return list;
    size_t count = 0;
    while (keeper.supervisor_arguments[count]) count++;
    list = calloc(count + 3, sizeof *list);
    if (!list) return NULL;
    list[0] = name;
    memcpy(list + 1, keeper.supervisor_arguments, count * sizeof *list);
    list[count + 1] = descriptors;
    return list;
}

static bool is_broken(void) {
    const struct supervisor *supervisor = &keeper.supervisor;
    if (supervisor->death_count < DEATHS_ALLOWED) return false;
    int64_t oldest = supervisor->deaths_ns[supervisor->death_count % DEATHS_ALLOWED];
    return now_ns() - oldest < minute_ns;
}

/// With its guard, and the cgroup as far as that is empty.
static __attribute__((noreturn)) void leave(int status) {
    dismiss_guard();
    const char *group = orch_records_cgroup(&keeper.records);
    if (*group) rmdir(group);
    exit(status);
}

/// Descriptors are held for every sidecar that came up, and for doors, which have no process.
static bool keeps_nothing(void) {
    const struct orch_held *held;
    return list_held(&held) == 0 && are_slots_free();
}

/// No supervisor comes up, and there is nothing for which one had to: whoever wants one has it started afresh.
static __attribute__((noreturn)) void give_up(void) {
    const struct supervisor *supervisor = &keeper.supervisor;
    const char *name = supervisor->last_code == CLD_EXITED ? NULL : sigabbrev_np(supervisor->last_status);
    char last[32];
    if (name)
        snprintf(last, sizeof last, "SIG%s", name);
    else
        snprintf(last, sizeof last, "exit %d", supervisor->last_status);
    say("the supervisor ended %d times within a minute, and nothing runs: giving up", DEATHS_ALLOWED);
    if (keeper.ready >= 0)
        dprintf(
            keeper.ready,
            "error the supervisor ended %d times before it was ready (the last time by %s), and nothing was started; "
            "what ended it is in %s/supervisor.log\n",
            DEATHS_ALLOWED, last, keeper.state_directory);
    // Whoever lost a supervisor learns from this that none is to be waited for.
    keeper.records.header->keeper_start_time = 0;
    keeper.records.header->keeper_pid = 0;
    set_state(ORCH_SUPERVISOR_BROKEN);
    leave(1);
}

static void schedule_restart(void) {
    struct supervisor *supervisor = &keeper.supervisor;
    int64_t now = now_ns();
    supervisor->deaths_ns[supervisor->death_count++ % DEATHS_ALLOWED] = now;
    keeper.records.header->supervisor_deaths = supervisor->death_count;
    if (is_broken() && keeps_nothing()) give_up();
    if (now - supervisor->started_at_ns > minute_ns) supervisor->back_off_ms = 0;
    if (is_broken()) {
        supervisor->back_off_ms = LONGEST_BACK_OFF_MS;
        keeper.records.header->broken_at_ns = now;
        set_state(ORCH_SUPERVISOR_BROKEN);
        say("the supervisor ended %d times within a minute; trying every 10 s", DEATHS_ALLOWED);
    } else {
        set_state(ORCH_SUPERVISOR_BACKING_OFF);
    }
    supervisor->start_at_ns = now + supervisor->back_off_ms * 1000000LL;
    uint32_t next = supervisor->back_off_ms ? supervisor->back_off_ms * 2 : FIRST_BACK_OFF_MS;
    supervisor->back_off_ms = next < LONGEST_BACK_OFF_MS ? next : LONGEST_BACK_OFF_MS;
}

void supervisor_is_ready(void) {
    keeper.supervisor.is_ready = true;
    if (keeper.ready >= 0) close(keeper.ready);
    keeper.ready = -1;
    set_state(ORCH_SUPERVISOR_RUNNING);
}

void start_supervisor(void) {
    struct supervisor *supervisor = &keeper.supervisor;
    supervisor->start_at_ns = 0;
    supervisor->started_at_ns = now_ns();
    supervisor->socket = -1;
    supervisor->pidfd = -1;
    int ends[2];
    char **arguments = make_arguments();
    if (!arguments || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
        say("cannot start the supervisor: %s", strerrordesc_np(errno));
        schedule_restart();
        return;
    }
    pid_t pid = fork();
    if (pid == 0) become_supervisor(ends[1], arguments);
    close(ends[1]);
    int pidfd = pid < 0 ? -1 : orch_pidfd_open(pid);
    if (pidfd < 0) {
        say("cannot start the supervisor: %s", strerrordesc_np(errno));
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        close(ends[0]);
        schedule_restart();
        return;
    }
    supervisor->pid = pid;
    supervisor->pidfd = pidfd;
    supervisor->socket = ends[0];
    supervisor->is_ready = false;
    supervisor->said_bye = false;
    keeper.records.header->supervisor_pid = pid;
    if (!is_broken()) set_state(ORCH_SUPERVISOR_RUNNING);
    if (watch(pidfd, EPOLLIN, watch_token(TAG_SUPERVISOR, 0)) < 0
        || watch(ends[0], EPOLLIN, watch_token(TAG_SOCKET, 0)) < 0)
        say("cannot watch the supervisor");
}

/// No supervisor can serve where it is not, and no command would find it.
static bool is_state_lost(void) {
    struct stat ours, there;
    char path[PATH_MAX];
    if (fstat(keeper.lock, &ours) < 0) return false;
    if (snprintf(path, sizeof path, "%s/lock", keeper.state_directory) >= (int)sizeof path) return false;
    if (stat(path, &there) < 0) return errno == ENOENT || errno == ENOTDIR;
    return there.st_ino != ours.st_ino || there.st_dev != ours.st_dev;
}

/// A supervisor would bring the project down now. The guard does, as soon as we are gone.
static void leave_to_guard(void) {
    say("the state directory was deleted or moved away while no supervisor lived: the guard ends what runs");
    keeper.records.header->on_exit = ORCH_ON_EXIT_STOP;
    want_guard(true);
    if (keeper.guard.pid > 0) exit(1);
}

/// Both its process and everyone who might still announce a child through its socket are gone.
static void supervisor_is_gone(void) {
    if (keeper.supervisor.pid > 0 || keeper.supervisor.socket >= 0) return;
    settle_without_supervisor();
    if (keeper.supervisor.said_bye) return;
    if (keeper.next_image >= 0) {
        become_next();
        // It could not: on as before, and at once, as this was no death.
        keeper.supervisor.start_at_ns = now_ns();
        return;
    }
    if (is_state_lost()) leave_to_guard();
    schedule_restart();
}

void supervisor_ended(void) {
    struct supervisor *supervisor = &keeper.supervisor;
    if (supervisor->pid <= 0) return;
    int code = 0, status = 0;
    if (orch_pidfd_reap(supervisor->pidfd, &code, &status) != 0) return;
    close(supervisor->pidfd);
    supervisor->pidfd = -1;
    supervisor->pid = 0;
    keeper.records.header->supervisor_pid = 0;
    set_state(ORCH_SUPERVISOR_ABSENT);
    supervisor->last_code = code;
    supervisor->last_status = status;
    if (!supervisor->said_bye && keeper.next_image < 0)
        say("the supervisor ended by %s %d", code == CLD_EXITED ? "exit" : "signal", status);
    // It gave up before it ever served: what it had to say it said to whoever started us.
    bool gave_up = code == CLD_EXITED && keeper.ready >= 0 && !supervisor->is_ready && keeper.living == 0;
    if (gave_up) leave(status ? status : 1);
    supervisor_is_gone();
}

void supervisor_socket_closed(void) {
    struct supervisor *supervisor = &keeper.supervisor;
    if (supervisor->socket < 0) return;
    close(supervisor->socket);
    supervisor->socket = -1;
    forget_mail();
    supervisor_is_gone();
}

int supervisor_delay_ms(void) {
    const struct supervisor *supervisor = &keeper.supervisor;
    if (supervisor->start_at_ns == 0) return -1;
    int64_t rest = supervisor->start_at_ns - now_ns();
    return rest <= 0 ? 0 : (int)((rest + 999999) / 1000000);
}

void restart_supervisor_when_due(void) {
    struct supervisor *supervisor = &keeper.supervisor;
    bool is_gone = supervisor->pid <= 0 && supervisor->socket < 0;
    if (is_gone && supervisor->said_bye && keeper.living == 0) {
        dismiss_guard();
        exit(0);
    }
    if (is_gone && supervisor->start_at_ns && supervisor_delay_ms() == 0) start_supervisor();
}
