#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t count_of(char *const *list) {
    size_t count = 0;
    while (list[count]) count++;
    return count;
}

static int spawn_intermediate(const struct orch_launch_request *request, const int fds[3], char **arguments) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions) != 0) return -ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return -ENOMEM;
    }
    // The copies lie above what is placed here, so no step overwrites the source of a later one.
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fds[2], 1);
    posix_spawn_file_actions_adddup2(&actions, fds[2], 2);
    posix_spawn_file_actions_adddup2(&actions, fds[0], 3);
    if (fds[1] >= 0) posix_spawn_file_actions_adddup2(&actions, fds[1], 4);
    sigset_t none, ignored;
    sigemptyset(&none);
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    sigaddset(&ignored, SIGCHLD);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &ignored);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid;
    int error = posix_spawn(&pid, request->keeper_path, &actions, &attributes, arguments, request->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error) return -error;
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

int orch_launch_keeper(const struct orch_launch_request *request) {
    size_t count = count_of(request->arguments);
    char **arguments = calloc(count + 11, sizeof *arguments);
    if (!arguments) return -ENOMEM;
    size_t at = 0;
    char name[] = "orchestrate-keeper", detach[] = "--detach", directory[] = "--state-directory",
         program[] = "--program-fd", program_number[] = "3", ready[] = "--ready-fd", ready_number[] = "4",
         guarded[] = "--guarded", separator[] = "--";
    arguments[at++] = name;
    arguments[at++] = detach;
    if (request->is_guarded) arguments[at++] = guarded;
    arguments[at++] = directory;
    arguments[at++] = (char *)request->state_directory;
    arguments[at++] = program;
    arguments[at++] = program_number;
    if (request->ready_fd >= 0) {
        arguments[at++] = ready;
        arguments[at++] = ready_number;
    }
    arguments[at++] = separator;
    for (size_t each = 0; each < count; each++) arguments[at++] = request->arguments[each];
    int fds[3] = {
        fcntl(request->program_fd, F_DUPFD_CLOEXEC, 10),
        request->ready_fd >= 0 ? fcntl(request->ready_fd, F_DUPFD_CLOEXEC, 10) : -1,
        fcntl(request->log_fd, F_DUPFD_CLOEXEC, 10),
    };
    int error = fds[0] < 0 || fds[2] < 0 || (request->ready_fd >= 0 && fds[1] < 0) ? -errno : 0;
    if (!error) error = spawn_intermediate(request, fds, arguments);
    for (int each = 0; each < 3; each++)
        if (fds[each] >= 0) close(fds[each]);
    free(arguments);
    return error;
}

static void keep_on_exec(int fd, bool is_kept) {
    if (fd >= 0) fcntl(fd, F_SETFD, is_kept ? 0 : FD_CLOEXEC);
}

static void keep_all_on_exec(const struct orch_succession *succession, int file, bool is_kept) {
    const struct orch_handover *handover = &succession->handover;
    int fds[] = {handover->lock, handover->records, handover->alarm, succession->program_fd, file};
    for (size_t at = 0; at < sizeof fds / sizeof *fds; at++) keep_on_exec(fds[at], is_kept);
    for (uint32_t at = 0; at < handover->count; at++) keep_on_exec(succession->held[at].fd, is_kept);
}

static uint64_t set_soft_limit(uint64_t soft) {
    struct rlimit limit;
    if (soft == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
    uint64_t before = limit.rlim_cur;
    limit.rlim_cur = soft;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : before;
}

static int execute_keeper(const struct orch_succession *succession, int file) {
    size_t count = count_of(succession->arguments);
    char **arguments = calloc(count + 9, sizeof *arguments);
    if (!arguments) return -ENOMEM;
    char name[] = "orchestrate-keeper", directory[] = "--state-directory", program[] = "--program-fd",
         handover[] = "--handover-fd", separator[] = "--", program_number[12], file_number[12];
    snprintf(program_number, sizeof program_number, "%d", succession->program_fd);
    snprintf(file_number, sizeof file_number, "%d", file);
    char *own[] = {
        name,     directory,   (char *)succession->state_directory, program, program_number,
        handover, file_number, separator};
    memcpy(arguments, own, sizeof own);
    memcpy(arguments + sizeof own / sizeof *own, succession->arguments, count * sizeof *arguments);
    uint64_t before = set_soft_limit(succession->descriptor_limit);
    syscall(SYS_execveat, succession->keeper_fd, "", arguments, succession->environment, AT_EMPTY_PATH);
    int error = -errno;
    set_soft_limit(before);
    free(arguments);
    return error;
}

int orch_become_keeper(const struct orch_succession *succession) {
    int file = orch_handover_write(&succession->handover, succession->held);
    if (file < 0) return file;
    keep_all_on_exec(succession, file, true);
    int error = execute_keeper(succession, file);
    keep_all_on_exec(succession, file, false);
    close(file);
    return error;
}
