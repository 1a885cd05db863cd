#define _GNU_SOURCE
#include "keeper.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct keeper keeper = {
    .program = -1,
    .ready = -1,
    .lock = -1,
    .alarm_reading = -1,
    .alarm_writing = -1,
    .image = -1,
    .next_program = -1,
    .next_image = -1,
    .guard = {.pidfd = -1},
};

enum { EXIT_CONFLICT = 7, EXIT_USAGE = 64, LOCK_PATIENCE_MS = 1000 };

int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void say(const char *format, ...) {
    char line[512] = "keeper: ";
    size_t size = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(line + size, sizeof line - size - 1, format, arguments);
    va_end(arguments);
    if (more < 0) return;
    size += (size_t)more < sizeof line - size - 1 ? (size_t)more : sizeof line - size - 2;
    line[size++] = '\n';
    if (write(2, line, size) < 0) return;
}

uint64_t watch_token(uint32_t tag, uint32_t value) { return (uint64_t)tag << 32 | value; }

int watch(int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(keeper.epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void ignore_signal(int number) { (void)number; }

int lock_patiently(int lock) {
    struct sigaction action = {.sa_handler = ignore_signal};
    sigaction(SIGALRM, &action, NULL);
    // Repeats, as the first one may come before flock waits.
    struct itimerval patience = {
        .it_value = {LOCK_PATIENCE_MS / 1000, 0}, .it_interval = {0, 50000}};
    setitimer(ITIMER_REAL, &patience, NULL);
    int error = flock(lock, LOCK_EX) < 0 ? -errno : 0;
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    return error;
}

static int take_lock(int directory) {
    keeper.lock = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return keeper.lock < 0 ? -errno : lock_patiently(keeper.lock);
}

static int usage(void) {
    say("usage: orchestrate-keeper [--detach] [--guarded] --state-directory DIR --program-fd N [--ready-fd N] -- "
        "ARGUMENTS");
    return EXIT_USAGE;
}

static bool parse_descriptor(const char *text, int *fd) {
    char *end;
    errno = 0;
    long value = text ? strtol(text, &end, 10) : -1;
    if (!text || *end || errno || value < 3 || value > 65535 || fcntl((int)value, F_GETFD) < 0) return false;
    *fd = (int)value;
    return true;
}

static const char *way_out(int error) {
    switch (error) {
    case -EAGAIN: return "; raise the limit on processes: ulimit -u, LimitNPROC= of the service, or pids.max of the cgroup";
    case -ENOSPC:
    case -EDQUOT: return "; free some space (df -h) or inodes (df -i) there";
    default: return "";
    }
}

static int fail_at_start(const char *what, int error) {
    const char *text = strerrordesc_np(-error);
    char why[128];
    snprintf(why, sizeof why, "%s", text ? text : "unknown error");
    // As in every other message: what begins with an abbreviation keeps its capital.
    if (islower((unsigned char)why[1])) why[0] = (char)tolower((unsigned char)why[0]);
    say("%s: %s%s", what, why, way_out(error));
    if (keeper.ready >= 0) dprintf(keeper.ready, "error %s: %s%s\n", what, why, way_out(error));
    return 1;
}

static int fail_at_file(const char *what, const char *name, int error) {
    char text[PATH_MAX + 64];
    snprintf(text, sizeof text, "%s %s%s", what, keeper.state_directory, name);
    return fail_at_start(text, error);
}

/// What an earlier keeper left when it was killed is to be ended before anything else, where that was so settled.
static void judge_last_life(void) {
    struct orch_records_header *header = keeper.records.header;
    if (header->on_exit == ORCH_ON_EXIT_STOP || header->on_exit == ORCH_ON_EXIT_ENDED) header->must_end = 1;
    header->guard_pid = 0;
    orch_records_set_supervisor_state(&keeper.records, ORCH_SUPERVISOR_ABSENT);
    header->on_exit = keeper.guard.is_wanted ? ORCH_ON_EXIT_STOP : ORCH_ON_EXIT_NONE;
}

static int begin(void) {
    int directory = open(keeper.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return fail_at_file("cannot open", "", -errno);
    int error = take_lock(directory);
    if (error == -EINTR) {
        say("another supervisor of this project holds the lock");
        if (keeper.ready >= 0) dprintf(keeper.ready, "conflict another supervisor of this project holds the lock\n");
        return EXIT_CONFLICT;
    }
    if (error) return fail_at_file("cannot lock", "/lock", error);
    error = orch_records_open(directory, &keeper.records);
    close(directory);
    if (error == -EPROTONOSUPPORT)
        return fail_at_start("a newer orchestrate wrote the spawn records: use that one to take the project down", error);
    if (error) return fail_at_file("cannot open the spawn records", "/spawns", error);
    judge_last_life();
    return 0;
}

static int go_on(int handover) {
    int error = take_over(handover);
    if (error) return fail_at_start("cannot take over from the earlier keeper", error);
    keeper.guard.is_wanted = keeper.records.header->on_exit == ORCH_ON_EXIT_STOP;
    return 0;
}

static int watch_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    keeper.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return keeper.signals < 0 ? -errno : watch(keeper.signals, EPOLLIN, watch_token(TAG_SIGNALS, 0));
}

static int prepare(void) {
    struct orch_process_facts facts;
    keeper.records.header->keeper_pid = getpid();
    keeper.records.header->keeper_start_time = orch_process_look(getpid(), &facts) == 0 ? facts.start_time : 0;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) return fail_at_start("cannot become subreaper", -errno);
    orch_set_process_name("orchestrate-keeper");
    prepare_leaders();
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    keeper.children = open(path, O_RDONLY | O_CLOEXEC);
    keeper.image = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    keeper.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (keeper.children < 0 || keeper.image < 0 || keeper.epoll < 0)
        return fail_at_start("cannot set up the keeper", -errno);
    int error = watch_signals();
    int earlier_alarm = keeper.alarm_writing;
    if (!error) error = prepare_guarding();
    // The earlier guard is told only now that its keeper is gone: this one lives.
    if (earlier_alarm >= 0) close(earlier_alarm);
    return error ? fail_at_start("cannot set up the keeper", error) : 0;
}

static void read_signals(void) {
    struct signalfd_siginfo information;
    while (read(keeper.signals, &information, sizeof information) == sizeof information) {
        if (information.ssi_signo == SIGCHLD) {
            keeper.must_reap = true;
        } else if (keeper.supervisor.pid > 0) {
            // Whoever asks the keeper to end means the project.
            orch_pidfd_signal(keeper.supervisor.pidfd, SIGTERM);
        }
    }
}

/// Of two delays, of which -1 is none.
static int sooner(int one, int other) { return one < 0 || (other >= 0 && other < one) ? other : one; }

// Where more leaders end within so short a time, as when the project goes down, we look again only after a pause: each
// that wakes us would have us take the processor from those that are about to end.
enum { EVENTS_AT_ONCE = 128, BURST_ENDS = 8, BURST_NS = 2000000, BURST_PAUSE_NS = 4000000 };

static void pause_in_burst(int ended, bool has_more) {
    static int64_t since;
    static int count;
    if (ended == 0) return;
    int64_t now = now_ns();
    if (now - since > BURST_NS) {
        since = now;
        count = 0;
    }
    count += ended;
    if (count > BURST_ENDS && !has_more) nanosleep(&(struct timespec){.tv_nsec = BURST_PAUSE_NS}, NULL);
}

static void turn(void) {
    struct epoll_event events[EVENTS_AT_ONCE];
    int ended = 0;
    int count = epoll_wait(keeper.epoll, events, EVENTS_AT_ONCE, sooner(supervisor_delay_ms(), guard_delay_ms()));
    for (int at = 0; at < count; at++) {
        uint32_t value = (uint32_t)events[at].data.u64;
        switch (events[at].data.u64 >> 32) {
        case TAG_SIGNALS: read_signals(); break;
        case TAG_SUPERVISOR: supervisor_ended(); break;
        case TAG_SOCKET: receive_mail(); break;
        case TAG_LEADER:
            leader_ended(value);
            ended++;
            break;
        case TAG_GUARD: guard_ended(); break;
        }
    }
    if (keeper.must_reap) reap();
    if (keeper.must_sweep) sweep();
    flush_mail();
    restart_guard_when_due();
    restart_supervisor_when_due();
    pause_in_burst(ended, count == EVENTS_AT_ONCE);
}

/// Only what was handed to us stays open.
static void close_others(int handover) {
    fcntl(keeper.program, F_SETFD, FD_CLOEXEC);
    if (keeper.ready >= 0) fcntl(keeper.ready, F_SETFD, FD_CLOEXEC);
    for (int fd = 3; fd < 64 && handover < 0; fd++)
        if (fd != keeper.program && fd != keeper.ready) close(fd);
    syscall(SYS_close_range, handover < 0 ? 64u : 3u, ~0u, 1u << 2);
}

static int print_versions(void) {
    dprintf(
        1, "records %u.%u protocol %u handover %u\n", ORCH_RECORDS_VERSION, ORCH_RECORDS_REVISION,
        ORCH_PROTOCOL_VERSION, ORCH_HANDOVER_VERSION);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 2 && strncmp(arguments[1], "--guard=", 8) == 0) return run_guard(arguments[1] + 8);
    if (count == 2 && strcmp(arguments[1], "--versions") == 0) return print_versions();
    bool detach = false;
    int handover = -1;
    int at = 1;
    for (; at < count && strcmp(arguments[at], "--") != 0; at++) {
        const char *value = at + 1 < count ? arguments[at + 1] : NULL;
        if (strcmp(arguments[at], "--detach") == 0) {
            detach = true;
        } else if (strcmp(arguments[at], "--guarded") == 0) {
            keeper.guard.is_wanted = true;
        } else if (strcmp(arguments[at], "--state-directory") == 0 && value) {
            keeper.state_directory = arguments[++at];
        } else if (strcmp(arguments[at], "--handover-fd") == 0 && parse_descriptor(value, &handover)) {
            at++;
        } else if (strcmp(arguments[at], "--program-fd") == 0 && parse_descriptor(value, &keeper.program)) {
            at++;
        } else if (strcmp(arguments[at], "--ready-fd") == 0 && parse_descriptor(value, &keeper.ready)) {
            at++;
        } else {
            return usage();
        }
    }
    if (!keeper.state_directory || keeper.program < 0) return usage();
    keeper.supervisor_arguments = arguments + (at < count ? at + 1 : at);
    if (detach) {
        pid_t child = fork();
        if (child < 0) return fail_at_start("cannot fork", -errno);
        // A plain exit would flush what the child is to write.
        if (child > 0) _exit(0);
    }
    setsid();
    // Where files may not grow, a write that fails is said, and ends nobody.
    signal(SIGXFSZ, SIG_IGN);
    close_others(handover);
    int failure = handover < 0 ? begin() : go_on(handover);
    if (!failure) failure = prepare();
    if (failure) return failure;
    // The file system we were started on may be unmounted while we live.
    if (chdir("/") < 0) return fail_at_start("cannot change to the root directory", -errno);
    keeper.descriptor_limit = orch_raise_descriptor_limit();
    if (handover >= 0) {
        take_up_recorded();
        settle_without_supervisor();
    }
    start_supervisor();
    for (;;) turn();
}
