#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "CRawBaselines.h"

extern char **environ;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int spawn(const char *sidecar, const char *channel, const char *mode, int index, pid_t *pid) {
    char number[16];
    snprintf(number, sizeof number, "%d", index);
    char *arguments[] = {(char *)sidecar, (char *)channel, number, (char *)mode, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int error = posix_spawn(pid, sidecar, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int raw_spawn_all(const char *sidecar, const char *channel, const char *mode, int count, pid_t *pids) {
    for (int i = 0; i < count; i++) {
        int error = spawn(sidecar, channel, mode, i, &pids[i]);
        if (error != 0) return error;
    }
    return 0;
}

void raw_signal_all(const pid_t *pids, int count) {
    for (int i = 0; i < count; i++) kill(pids[i], SIGTERM);
}

void raw_wait_all(const pid_t *pids, int count) {
    for (int i = 0; i < count; i++)
        while (waitpid(pids[i], NULL, 0) < 0 && errno == EINTR) continue;
}

uint64_t raw_stop_all(const pid_t *pids, int count) {
    uint64_t start = now();
    raw_signal_all(pids, count);
    raw_wait_all(pids, count);
    return now() - start;
}

uint64_t raw_replace(const char *sidecar, const char *channel, pid_t pid, pid_t *successor) {
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0) return 0;
    uint64_t start = now();
    kill(pid, SIGKILL);
    struct pollfd ended = {.fd = handle, .events = POLLIN};
    int ready = poll(&ended, 1, 5000);
    siginfo_t status;
    int reaped = waitid(P_PIDFD, (id_t)handle, &status, WEXITED);
    close(handle);
    if (ready != 1 || reaped != 0) return 0;
    return spawn(sidecar, channel, "hold", 0, successor) == 0 ? start : 0;
}

int raw_chain(const char *sidecar, const char *channel_path, int channel, int count, pid_t *pids) {
    for (int i = 0; i < count; i++) {
        int error = spawn(sidecar, channel_path, "log", i, &pids[i]);
        if (error != 0) return error;
        struct stamp_record record = {0};
        while (record.event != STAMP_READY) {
            struct pollfd heard = {.fd = channel, .events = POLLIN};
            if (poll(&heard, 1, 5000) != 1) return ETIMEDOUT;
            if (read(channel, &record, sizeof record) != (ssize_t)sizeof record) return EIO;
        }
    }
    return 0;
}
