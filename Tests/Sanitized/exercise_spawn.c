// The spawn and the look at processes, under the sanitizers: every outcome, many times, on one stack.

#include "CProcess.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

static void expect(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "not so: %s\n", what);
    failures++;
}

static void reap(const struct orch_spawn_result *result, int expected) {
    int kind = 0, value = -1;
    siginfo_t information;
    waitid(P_PID, (id_t)result->pid, &information, WEXITED | WNOWAIT);
    expect(orch_pidfd_reap(result->pidfd, &kind, &value) == 0, "a child that ended is reaped");
    expect(kind == CLD_EXITED && value == expected, "its status is the expected one");
    close(result->pidfd);
}

static void exercise(const struct orch_records *records, uint32_t slot) {
    char *environment[] = {"A=b", NULL}, *arguments[] = {"sh", "-c", "exit 5", NULL};
    struct orch_spawn_request request = {
        .path = "/bin/sh", .arguments = arguments, .environment = environment, .directory = "/",
        .standard_input = -1, .standard_output = 0, .standard_error = 1, .cgroup_fd = -1, .descriptor_limit = 256,
        .has_umask = 1, .umask = 077,
    };
    // Every other one copies the whole table of descriptors.
    if (slot % 2) orch_reserve_descriptors(request.reserved);
    struct orch_limit limits[] = {{.number = 4, .soft = 0, .hard = 0}, {.number = 99, .soft = 1, .hard = 1}};
    struct orch_identity identity = {
        .has_nice = 1, .nice = 19, .gains_no_privileges = 1, .limits = limits,
        .limit_count = 1};
    // Every third one is another than its parent.
    if (slot % 3 == 0) request.identity = &identity;
    struct orch_spawn_result result;
    for (int round = 0; round < 3; round++) {
        orch_slot_claim(records, slot, ORCH_KIND_SIDECAR, 1, "a/0");
        request.slot = orch_slot_at(records, slot);
        request.mark = orch_slot_mark_value(records, slot);
        request.path = round == 1 ? "/no/such/program" : "/bin/sh";
        request.directory = round == 2 ? "/no/such/directory" : "/";
        orch_spawn(&request, &result);
        int steps[] = {ORCH_STEP_NONE, ORCH_STEP_EXECUTE, ORCH_STEP_DIRECTORY};
        expect(result.step == steps[round] && result.pid > 0, "the step is the expected one");
        expect(request.slot->pid == result.pid && request.slot->start_time > 0, "the child wrote its identity");
        reap(&result, round == 0 ? 5 : 127);
    }
    identity.limit_count = 2;
    request.identity = &identity;
    orch_spawn(&request, &result);
    expect(result.step == ORCH_STEP_LIMITS && result.part == ORCH_PART_LIMIT + 99, "the limit that is none is named");
    reap(&result, 127);
    for (int at = 0; at < ORCH_RESERVED_DESCRIPTORS; at++)
        if (request.reserved[at] > 0) close(request.reserved[at]);
}

static void look_around(void) {
    int32_t pids[64];
    struct orch_process_facts facts;
    char name[64];
    expect(orch_children(getpid(), pids, 64) == 0, "no child is left");
    expect(orch_process_look(getpid(), &facts) == 0 && facts.parent == getppid(), "own facts are right");
    orch_process_wait_channel(getpid(), name, sizeof name);
    expect(orch_process_mark(getpid(), 0) == 0, "who was given no mark carries none");
    int fd = orch_memory_file("text", 4);
    expect(fd >= 0 && lseek(fd, 0, SEEK_END) == 4, "a memory file holds what it was given");
    close(fd);
}

int main(void) {
    char path[] = "/tmp/exercise-XXXXXX";
    struct orch_records records;
    if (!mkdtemp(path)) return 1;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    expect(orch_records_open(directory, &records) == 0, "records are made");
    for (uint32_t slot = 0; slot < 100; slot++) {
        expect(orch_records_reserve(&records, slot) == 0, "a slot is backed");
        exercise(&records, slot);
    }
    look_around();
    orch_records_unmap(&records);
    close(records.fd);
    unlinkat(directory, "spawns", 0);
    close(directory);
    rmdir(path);
    return failures ? 1 : 0;
}
