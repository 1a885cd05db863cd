#define _GNU_SOURCE
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { SIGNAL_PROCESS_GROUP = 1 << 2 };

// The kernel's struct pidfd_info up to the exit code, as of 6.15.
struct pidfd_information {
    uint64_t mask, cgroupid;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};
#define INFORMATION_EXIT (1u << 3)
#define GET_INFORMATION _IOWR(0xFF, 11, struct pidfd_information)

static ssize_t read_small_file(const char *path, char *text, size_t capacity) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t size = read(fd, text, capacity - 1);
    int error = errno;
    close(fd);
    if (size < 0) return -error;
    text[size] = 0;
    return size;
}

/// What /proc tells of it in one line. 0 or -errno; `*rest` is what follows its name.
static int read_stat(int32_t pid, char *text, size_t capacity, const char **rest) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    ssize_t size = read_small_file(path, text, capacity);
    if (size < 0) return size == -ENOENT ? -ESRCH : (int)size;
    // The command's name may hold anything, parentheses too; the last one ends it.
    *rest = strrchr(text, ')');
    return *rest ? 0 : -ESRCH;
}

int orch_process_look(int32_t pid, struct orch_process_facts *facts) {
    char text[1024];
    const char *rest;
    int error = read_stat(pid, text, sizeof text, &rest);
    if (error < 0) return error;
    facts->pid = pid;
    unsigned long long start = 0;
    int found = sscanf(
        rest, ") %c %d %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &facts->state,
        &facts->parent, &facts->group, &facts->session, &start);
    facts->start_time = start;
    return found == 5 ? 0 : -ESRCH;
}

int orch_process_lives(int32_t pid, uint64_t start_time) {
    struct orch_process_facts facts;
    return start_time != 0 && orch_process_look(pid, &facts) == 0 && facts.start_time == start_time
        && facts.state != 'Z' && facts.state != 'X';
}

uint32_t orch_mark_nonce(uint64_t mark) { return (uint32_t)((mark - ((uint64_t)1 << 62)) >> 30); }

static int is_mark_of(uint64_t value, uint32_t nonce) {
    return value >> 62 == 1 && orch_mark_nonce(value) == nonce;
}

static rlim_t limit_from_text(const char *text, char **end) {
    while (*text == ' ') text++;
    if (strncmp(text, "unlimited", 9) != 0) return strtoull(text, end, 10);
    *end = (char *)text + 9;
    return RLIM_INFINITY;
}

/// As prlimit tells it, which asks for CAP_SYS_RESOURCE where the process is another user's: root in a container mostly
/// has it not. The same numbers may be read by everyone, for more time.
static int read_mark_limit(int32_t pid, struct rlimit *limit) {
    if (prlimit(pid, RLIMIT_RTTIME, NULL, limit) == 0) return 0;
    if (errno != EPERM) return -errno;
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/limits", pid);
    if (read_small_file(path, text, sizeof text) <= 0) return -ESRCH;
    static const char name[] = "Max realtime timeout";
    char *line = strstr(text, name);
    if (!line) return -ESRCH;
    limit->rlim_cur = limit_from_text(line + sizeof name - 1, &line);
    limit->rlim_max = limit_from_text(line, &line);
    return 0;
}

uint64_t orch_process_mark(int32_t pid, uint32_t nonce) {
    struct rlimit limit;
    if (read_mark_limit(pid, &limit) < 0) return 0;
    if (is_mark_of(limit.rlim_cur, nonce)) return limit.rlim_cur;
    return is_mark_of(limit.rlim_max, nonce) ? limit.rlim_max : 0;
}

int orch_process_marks(int32_t pid, uint64_t marks[2]) {
    struct rlimit limit;
    if (read_mark_limit(pid, &limit) < 0) return 0;
    int count = 0;
    if (limit.rlim_cur >> 62 == 1) marks[count++] = limit.rlim_cur;
    if (limit.rlim_max >> 62 == 1 && limit.rlim_max != limit.rlim_cur) marks[count++] = limit.rlim_max;
    return count;
}

int orch_process_any_mark(int32_t pid, uint32_t *nonce) {
    struct rlimit limit;
    if (read_mark_limit(pid, &limit) < 0 || limit.rlim_cur >> 62 != 1) return 0;
    *nonce = orch_mark_nonce(limit.rlim_cur);
    return 1;
}

void orch_process_wait_channel(int32_t pid, char *name, size_t capacity) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/wchan", pid);
    if (read_small_file(path, name, capacity) <= 0 || strcmp(name, "0") == 0) name[0] = 0;
}

int orch_pidfd_open(int32_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

int orch_pidfd_open_proven(int32_t pid, uint64_t start_time) {
    int fd = orch_pidfd_open(pid);
    if (fd < 0) return fd;
    // Still alive after the look: so the look was at the process the descriptor holds.
    if (orch_process_lives(pid, start_time) && !orch_pidfd_has_ended(fd)) return fd;
    close(fd);
    return -ESRCH;
}

int orch_pidfd_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int orch_pidfd_signal_group(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, SIGNAL_PROCESS_GROUP) < 0 ? -errno : 0;
}

int orch_pidfd_has_ended(int pidfd) {
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    return poll(&poller, 1, 0) == 1 && poller.revents & (POLLIN | POLLHUP);
}

/// The status of a process that has ended and was not reaped, as /proc tells it, or -errno.
static int read_zombie_status(int32_t pid, int *status) {
    // Whoever may not look into the process reads a 0 for it; they may not read this link either.
    char path[64], target[64], text[2048];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    if (readlink(path, target, sizeof target) < 0) return -errno;
    const char *rest;
    int error = read_stat(pid, text, sizeof text, &rest);
    if (error < 0) return error;
    // The state comes first, the status last.
    const char *last = strrchr(rest, ' ');
    if (strncmp(rest, ") Z ", 4) != 0 || !last) return -EAGAIN;
    *status = atoi(last + 1);
    return 0;
}

/// Whether the kernel keeps the end of the pidfd's process. Else its number is still its own.
static int ask_for_exit(int pidfd, struct pidfd_information *information) {
    *information = (struct pidfd_information){.mask = INFORMATION_EXIT};
    if (ioctl(pidfd, GET_INFORMATION, information) < 0) return -errno;
    return information->mask & INFORMATION_EXIT ? 1 : 0;
}

int orch_pidfd_exit_status(int pidfd, int *kind, int *value) {
    struct pidfd_information information;
    int told = ask_for_exit(pidfd, &information);
    int status = 0;
    if (told == 0) {
        int32_t pid = (int32_t)information.pid;
        int error = orch_pidfd_has_ended(pidfd) ? read_zombie_status(pid, &status) : -EAGAIN;
        // Was it reaped meanwhile, the number may have been another's.
        told = ask_for_exit(pidfd, &information);
        if (told == 0 && error < 0) return -EAGAIN;
    }
    if (told < 0) return told;
    if (told > 0) status = information.exit_code;
    *kind = WIFEXITED(status) ? CLD_EXITED : WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
    *value = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    return 0;
}

int orch_process_exit_status(int32_t pid, uint64_t start_time, int *kind, int *value) {
    int fd = orch_pidfd_open(pid);
    if (fd < 0) return fd;
    // Looked at after the number was taken: whatever came under it later has another start.
    struct orch_process_facts facts;
    int error = orch_process_look(pid, &facts);
    if (error == 0) error = facts.start_time != start_time ? -ESRCH : orch_pidfd_exit_status(fd, kind, value);
    close(fd);
    return error;
}

int orch_pidfd_reap(int pidfd, int *kind, int *value) {
    siginfo_t information = {0};
    while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &information, WEXITED | WNOHANG | __WALL) < 0)
        if (errno != EINTR) return -errno;
    if (information.si_pid == 0) return -EAGAIN;
    *kind = information.si_code;
    *value = information.si_status;
    return 0;
}

static long children_of_thread(const char *path, int32_t *pids, size_t capacity, long count) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    char text[4097];
    size_t kept = 0;
    for (;;) {
        ssize_t size = read(fd, text + kept, sizeof text - 1 - kept);
        if (size <= 0) break;
        text[kept + (size_t)size] = 0;
        char *at = text;
        for (char *end; (end = strchr(at, ' ')) != NULL; at = end + 1, count++)
            if ((size_t)count < capacity) pids[count] = atoi(at);
        kept = strlen(at);
        memmove(text, at, kept);
    }
    close(fd);
    return count;
}

long orch_children(int32_t pid, int32_t *pids, size_t capacity) {
    char path[96];
    // Nearly always there is one thread that has them all.
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? -ESRCH : -errno;
    char entries[2048];
    long count = 0;
    for (long size; (size = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0;) {
        for (long at = 0; at < size;) {
            unsigned short length;
            memcpy(&length, entries + at + 16, sizeof length);
            const char *name = entries + at + 19;
            if (name[0] >= '1' && name[0] <= '9') {
                snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", pid, name);
                long found = children_of_thread(path, pids, capacity, count);
                if (found >= 0) count = found;
            }
            at += length;
        }
    }
    close(fd);
    return count;
}

static int is_member(int32_t pid, uint64_t mark, uint32_t nonce, int32_t leader) {
    uint64_t found = orch_process_mark(pid, nonce);
    if (found) return found == mark;
    return leader > 0 && getsid(pid) == leader;
}

int orch_signal_member(int32_t pid, uint64_t mark, uint32_t nonce, int32_t leader, int signal) {
    int fd = orch_pidfd_open(pid);
    if (fd < 0) return fd;
    int error = -ESRCH;
    if (is_member(pid, mark, nonce, leader) && !orch_pidfd_has_ended(fd)) error = orch_pidfd_signal(fd, signal);
    close(fd);
    return error;
}

static long signal_below(int32_t pid, uint64_t mark, uint32_t nonce, int32_t leader, int signal, int depth) {
    enum { children_at_once = 512, deepest = 64 };
    int32_t *pids = malloc(children_at_once * sizeof *pids);
    if (!pids || depth > deepest) {
        free(pids);
        return 0;
    }
    long found = orch_children(pid, pids, children_at_once), signalled = 0;
    if (found > children_at_once) found = children_at_once;
    for (long at = 0; at < found; at++) {
        // The deepest first: a parent that ends would take its children out of this tree.
        signalled += signal_below(pids[at], mark, nonce, leader, signal, depth + 1);
        if (orch_signal_member(pids[at], mark, nonce, leader, signal) == 0) signalled++;
    }
    free(pids);
    return signalled;
}

long orch_signal_descendants(int32_t pid, uint64_t mark, uint32_t nonce, int32_t leader, int signal) {
    return signal_below(pid, mark, nonce, leader, signal, 0);
}

uint64_t orch_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
    uint64_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : before;
}

void orch_grow_descriptor_table(int fd, uint64_t count) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) < 0) raised = limit;
    uint64_t last = (count < raised.rlim_cur ? count : raised.rlim_cur) - 1;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, (int)last);
    if (high >= 0) close(high);
    setrlimit(RLIMIT_NOFILE, &limit);
}

void orch_set_process_name(const char *name) { prctl(PR_SET_NAME, name); }

int orch_memory_file(const void *bytes, size_t size) {
    int fd = memfd_create("standard-input", MFD_CLOEXEC);
    if (fd < 0) return -errno;
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, (const char *)bytes + done, size - done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            int error = errno;
            close(fd);
            return -error;
        }
        done += (size_t)written;
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

const char *orch_error_text(int error) { return strerrordesc_np(error); }
