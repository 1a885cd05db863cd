#define _GNU_SOURCE
#include "processors.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORD_BITS = 64 };

const uint64_t orch_all_processors[ORCH_PROCESSOR_WORDS] = {[0 ... ORCH_PROCESSOR_WORDS - 1] = UINT64_MAX};

/// How many there are. 0: not known. Not by libc, which counts those we may run on where it can't read the same file.
static int online_processors(void) {
    char text[1024];
    int file = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size > 0 ? size : 0] = 0;
    int count = 0;
    // "0-3,8"
    for (char *at = text; *at >= '0' && *at <= '9'; at += *at == ',') {
        long first = strtol(at, &at, 10);
        long last = *at == '-' ? strtol(at + 1, &at, 10) : first;
        if (last < first) return 0;
        count += (int)(last - first + 1);
    }
    return count;
}

/// How many processors there are, if the thread may run on each and there are several; else 0.
static int free_processors(void) {
    uint64_t allowed[ORCH_PROCESSOR_WORDS] = {0};
    long size = syscall(SYS_sched_getaffinity, 0, sizeof allowed, allowed);
    if (size < 0) return 0;
    int count = 0;
    for (int word = 0; word < ORCH_PROCESSOR_WORDS; word++) count += __builtin_popcountll(allowed[word]);
    return count > 1 && count == online_processors() ? count : 0;
}

static int keep_to(int processor) {
    uint64_t only = (uint64_t)1 << processor;
    return syscall(SYS_sched_setaffinity, 0, sizeof only, &only) == 0;
}

int orch_keep_to_processor(uint64_t taken) {
    int count = free_processors();
    int current = sched_getcpu();
    if (count == 0 || current < 0) return -1;
    int candidates = count < WORD_BITS ? count : WORD_BITS;
    for (int step = 0; step < candidates; step++) {
        int processor = (current + step) % candidates;
        if (!(taken >> processor & 1) && keep_to(processor)) return processor;
    }
    return -1;
}

int orch_leave_processor(void) {
    return syscall(SYS_sched_setaffinity, 0, sizeof orch_all_processors, orch_all_processors) < 0 ? -errno : 0;
}
