#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

extern char **environ;

static struct orch_held inherited[ORCH_HELD_LIMIT];

static bool is_open(int fd) { return fd > 2 && fcntl(fd, F_GETFD) >= 0; }

int take_over(int file) {
    struct orch_handover handover;
    int error = orch_handover_read(file, &handover, inherited, ORCH_HELD_LIMIT);
    close(file);
    if (error) return error;
    if (!is_open(handover.lock) || !is_open(handover.records)) return -EBADF;
    keeper.lock = handover.lock;
    // It is held by this opening already; were it not, nobody else may hold it.
    if (flock(keeper.lock, LOCK_EX | LOCK_NB) < 0) return -errno;
    error = orch_records_map(handover.records, &keeper.records);
    if (error) return error;
    for (uint32_t at = 0; at < handover.count; at++)
        if (is_open(inherited[at].fd)) hold(inherited[at].key, inherited[at].fd);
    // Kept until the new guard lives: so there is no instant without one.
    keeper.alarm_writing = is_open(handover.alarm) ? handover.alarm : -1;
    return 0;
}

void become_next(void) {
    struct orch_succession succession = {
        .keeper_fd = keeper.next_image,
        .program_fd = keeper.next_program,
        .state_directory = keeper.state_directory,
        .handover = {.lock = keeper.lock, .records = keeper.records.fd, .alarm = keeper.alarm_writing},
        // The next one raises it again, and remembers what it was.
        .descriptor_limit = keeper.descriptor_limit,
        .arguments = keeper.supervisor_arguments,
        .environment = environ,
    };
    succession.handover.count = list_held(&succession.held);
    keeper.records.header->upgrades++;
    keeper.records.header->upgrade_errno = 0;
    int error = orch_become_keeper(&succession);
    keeper.records.header->upgrades--;
    keeper.records.header->upgrade_errno = (uint32_t)-error;
    say("cannot become the new keeper: %s", strerrordesc_np(-error));
    close(keeper.next_program);
    close(keeper.next_image);
    keeper.next_program = -1;
    keeper.next_image = -1;
}
