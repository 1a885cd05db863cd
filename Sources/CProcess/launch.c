#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    char **arguments = calloc(count + 10, sizeof *arguments);
    if (!arguments) return -ENOMEM;
    size_t at = 0;
    char name[] = "orchestrate-keeper", detach[] = "--detach", directory[] = "--state-directory",
         program[] = "--program-fd", program_number[] = "3", ready[] = "--ready-fd", ready_number[] = "4",
         separator[] = "--";
    arguments[at++] = name;
    arguments[at++] = detach;
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
