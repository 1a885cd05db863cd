#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { FIRST_BACK_OFF_MS = 100, LONGEST_BACK_OFF_MS = 10000, AT_ALARM = 3, AT_RECORDS = 4, AT_LOCK = 5, ABOVE_ALL = 16 };

static __attribute__((noreturn)) void become_guard(void) {
    // Another life than ours: what ends our session leaves it alone.
    setsid();
    int alarm = fcntl(keeper.alarm_reading, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int records = fcntl(keeper.records.fd, F_DUPFD_CLOEXEC, ABOVE_ALL);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", keeper.lock);
    // Opened anew: a lock belongs to the opening, and ours is held.
    int lock = open(path, O_RDWR | O_CLOEXEC);
    int lock_above = lock < 0 ? -1 : fcntl(lock, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int image = fcntl(keeper.image, F_DUPFD_CLOEXEC, ABOVE_ALL);
    bool are_placed = alarm >= 0 && records >= 0 && lock_above >= 0 && image >= 0 && dup3(alarm, AT_ALARM, 0) >= 0
        && dup3(records, AT_RECORDS, 0) >= 0 && dup3(lock_above, AT_LOCK, 0) >= 0;
    if (!are_placed) _exit(126);
    syscall(SYS_close_range, (unsigned)AT_LOCK + 1, ~0u, 1u << 2);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char name[] = "orchestrate-guard", descriptors[] = "--guard=3,4,5";
    char *arguments[] = {name, descriptors, NULL};
    syscall(SYS_execveat, image, "", arguments, environ, AT_EMPTY_PATH);
    _exit(127);
}

static void schedule_guard(void) {
    struct guard *guard = &keeper.guard;
    int64_t now = now_ns();
    if (now - guard->started_at_ns > 60LL * 1000000000) guard->back_off_ms = 0;
    guard->start_at_ns = now + guard->back_off_ms * 1000000LL;
    uint32_t next = guard->back_off_ms ? guard->back_off_ms * 2 : FIRST_BACK_OFF_MS;
    guard->back_off_ms = next < LONGEST_BACK_OFF_MS ? next : LONGEST_BACK_OFF_MS;
}

static void name_guard(pid_t pid) {
    struct orch_records_header *header = keeper.records.header;
    struct orch_process_facts facts;
    // It reads its own name here, so the pid goes last.
    header->guard_start_time = pid > 0 && orch_process_look(pid, &facts) == 0 ? facts.start_time : 0;
    __atomic_store_n(&header->guard_pid, pid, __ATOMIC_RELEASE);
}

static void start_guard(void) {
    struct guard *guard = &keeper.guard;
    guard->started_at_ns = now_ns();
    guard->start_at_ns = 0;
    pid_t pid = fork();
    if (pid == 0) become_guard();
    int pidfd = pid < 0 ? -1 : orch_pidfd_open(pid);
    if (pidfd < 0 || watch(pidfd, EPOLLIN, watch_token(TAG_GUARD, 0)) < 0) {
        say("cannot start the guard: %s", strerrordesc_np(errno));
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        if (pidfd >= 0) close(pidfd);
        schedule_guard();
        return;
    }
    guard->pid = pid;
    guard->pidfd = pidfd;
    name_guard(pid);
}

int prepare_guarding(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    keeper.alarm_reading = ends[0];
    keeper.alarm_writing = ends[1];
    if (keeper.guard.is_wanted) start_guard();
    return 0;
}

static void end_guard(void) {
    struct guard *guard = &keeper.guard;
    if (guard->pid <= 0) return;
    name_guard(0);
    // Our child, unreaped: the number is its own.
    kill(guard->pid, SIGKILL);
    while (waitpid(guard->pid, NULL, __WALL) < 0 && errno == EINTR) {}
    close(guard->pidfd);
    guard->pid = 0;
    guard->pidfd = -1;
}

void want_guard(bool is_wanted) {
    struct guard *guard = &keeper.guard;
    if (guard->is_wanted == is_wanted) return;
    guard->is_wanted = is_wanted;
    guard->back_off_ms = 0;
    guard->start_at_ns = 0;
    if (is_wanted) {
        start_guard();
    } else {
        end_guard();
    }
}

void guard_ended(void) {
    struct guard *guard = &keeper.guard;
    int code = 0, status = 0;
    if (guard->pid <= 0 || orch_pidfd_reap(guard->pidfd, &code, &status) != 0) return;
    close(guard->pidfd);
    guard->pid = 0;
    guard->pidfd = -1;
    name_guard(0);
    if (!guard->is_wanted) return;
    say("the guard ended by %s %d", code == CLD_EXITED ? "exit" : "signal", status);
    schedule_guard();
}

int guard_delay_ms(void) {
    const struct guard *guard = &keeper.guard;
    if (guard->start_at_ns == 0) return -1;
    int64_t rest = guard->start_at_ns - now_ns();
    return rest <= 0 ? 0 : (int)((rest + 999999) / 1000000);
}

void restart_guard_when_due(void) {
    if (keeper.guard.is_wanted && keeper.guard.pid <= 0 && guard_delay_ms() == 0) start_guard();
}

void dismiss_guard(void) {
    __atomic_store_n(&keeper.records.header->on_exit, ORCH_ON_EXIT_NONE, __ATOMIC_RELEASE);
    end_guard();
}
