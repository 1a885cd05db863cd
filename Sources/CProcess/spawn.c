#define _GNU_SOURCE
#include "spawning.h"
#include "child.h"
#include "cloning.h"
#include "processors.h"
#include "rawcalls.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct child_context {
    const struct orch_spawn_request *request;
    struct orch_spawn_result *result;
    /// Of the boot clock just before the clone. 0: not known.
    uint64_t clone_tick;
    /// Bit n-1: signal n is ignored here, and would stay so in the child.
    uint64_t ignored;
};

/// USER_HZ is 100 in every Linux ABI.
#define NANOSECONDS_PER_TICK 10000000

#define IN_CHILD_OR_PARENT static inline __attribute__((always_inline))
IN_CHILD_OR_PARENT uint64_t tick(const struct timespec *time) {
    return (uint64_t)time->tv_sec * (1000000000 / NANOSECONDS_PER_TICK) + (uint64_t)time->tv_nsec / NANOSECONDS_PER_TICK;
}

struct kernel_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

// Everything below runs in the child.
#if __has_attribute(disable_tail_calls)
#define KEEPS_ITS_FRAME __attribute__((disable_tail_calls))
#else
#define KEEPS_ITS_FRAME
#endif

static IN_CHILD __attribute__((noreturn)) void child_fail(const struct child_context *context, int step, long error) {
    context->result->step = step;
    context->result->error = (int)-error;
    struct orch_slot *slot = context->request->slot;
    if (slot) {
        slot->failed_errno = (int32_t)-error;
        __atomic_store_n(&slot->state, ORCH_SLOT_FAILED, __ATOMIC_RELEASE);
    }
    for (;;) RAW1(SYS_exit_group, 127);
}

static IN_CHILD uint64_t parse_start_time(const char *text, long size) {
    long at = size;
    while (at > 0 && text[at - 1] != ')') at--;
    // After the command's name come field 3 and on, each behind one space.
    int field = 2;
    uint64_t value = 0;
    for (; at < size && field <= 22; at++) {
        if (text[at] == ' ') {
            field++;
        } else if (field == 22) {
            if (text[at] < '0' || text[at] > '9') return 0;
            value = value * 10 + (uint64_t)(text[at] - '0');
        }
    }
    return field >= 22 ? value : 0;
}

/// When this process was born, in the ticks of /proc/PID/stat.
///
/// It is the clock's reading in the middle of the clone, so readings before and after tell it, unless a tick lies
/// between them. Asking /proc costs as much as a tenth of the whole spawn.
static IN_CHILD uint64_t own_start_time(const struct child_context *context) {
    struct timespec now;
    if (context->clone_tick && RAW2(SYS_clock_gettime, CLOCK_BOOTTIME, &now) == 0 && tick(&now) == context->clone_tick)
        return context->clone_tick;
    char text[512];
    long fd = RAW4(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    long size = RAW3(SYS_read, fd, text, sizeof text);
    RAW1(SYS_close, fd);
    return size > 0 ? parse_start_time(text, size) : 0;
}

static IN_CHILD long set_mark(uint64_t mark) {
    struct rlimit64 {
        uint64_t soft, hard;
    } limit;
    long error = RAW4(SYS_prlimit64, 0, RLIMIT_RTTIME, 0, &limit);
    if (error < 0) return error;
    // Inside another orchestrator's sidecar the hard limit carries that one's mark: it stays readable.
    if (limit.hard == UINT64_MAX) limit.hard = mark;
    limit.soft = mark;
    return RAW4(SYS_prlimit64, 0, RLIMIT_RTTIME, &limit, 0);
}

static IN_CHILD void record_identity(const struct child_context *context) {
    const struct orch_spawn_request *request = context->request;
    long pid = RAW0(SYS_getpid);
    context->result->pid = (int32_t)pid;
    uint64_t mark = request->mark;
    if (mark && set_mark(mark) < 0) mark = 0;
    struct orch_slot *slot = request->slot;
    if (!slot) return;
    slot->pid = (int32_t)pid;
    slot->mark = mark;
    slot->start_time = own_start_time(context);
    // The kernel counts the memory that was ours until exec as the child's: its own peak shows only above it.
    struct rusage usage;
    slot->max_rss_kib = RAW2(SYS_getrusage, RUSAGE_SELF, &usage) < 0 ? 0 : (uint64_t)usage.ru_maxrss;
    __atomic_store_n(&slot->state, ORCH_SLOT_RUNNING, __ATOMIC_RELEASE);
}

static IN_CHILD long above_standard(int fd) {
    return fd < 0 || fd > 2 ? fd : RAW3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
}

static IN_CHILD long put(long from, int to) {
    if (from < 0) {
        from = RAW4(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
        if (from < 0) return from;
        // Nothing below 3 was free, or it would have to be kept from closing on exec.
        if (from == to) return RAW3(SYS_fcntl, to, F_SETFD, 0);
    }
    return RAW3(SYS_dup3, from, to, 0);
}

static IN_CHILD long place_descriptors(const struct orch_spawn_request *request) {
    long input = above_standard(request->standard_input);
    long output = above_standard(request->standard_output);
    long errors = above_standard(request->standard_error);
    if (input < -1) return input;
    if (output < -1) return output;
    if (errors < -1) return errors;
    long error = put(input, 0);
    if (error >= 0) error = put(output, 1);
    if (error >= 0) error = put(errors, 2);
    if (error < 0) return error;
    // Marked, not closed: the project's lock and the keeper's socket stay ours until exec, which tells that we are past
    // the point where nobody knows of us.
    enum { close_range_cloexec = 1 << 2 };
    return RAW3(SYS_close_range, 3, ~0u, close_range_cloexec);
}

static IN_CHILD void reset_signals(uint64_t ignored) {
    // Handlers were reset by the clone; what is ignored stays ignored unless it is said here.
    struct kernel_sigaction action = {0};
    for (int number = 1; ignored; number++, ignored >>= 1)
        if (ignored & 1) RAW4(SYS_rt_sigaction, number, &action, 0, sizeof action.mask);
    uint64_t none = 0;
    RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
}

struct part_failure {
    int step, part;
    long error;
};

static IN_CHILD struct part_failure set_limits(const struct orch_identity *identity) {
    for (size_t at = 0; at < identity->limit_count; at++) {
        const struct orch_limit *limit = &identity->limits[at];
        uint64_t pair[2] = {limit->soft, limit->hard};
        long error = RAW4(SYS_prlimit64, 0, limit->number, pair, 0);
        if (error < 0) return (struct part_failure){ORCH_STEP_LIMITS, ORCH_PART_LIMIT + limit->number, error};
    }
    long error = identity->has_nice ? RAW3(SYS_setpriority, PRIO_PROCESS, 0, identity->nice) : 0;
    return (struct part_failure){ORCH_STEP_LIMITS, ORCH_PART_NICE, error};
}

// Limits first, while they may still be raised; the user last, as then nothing more may be.
static IN_CHILD struct part_failure take_identity(const struct orch_identity *identity) {
    struct part_failure limits = set_limits(identity);
    if (limits.error < 0) return limits;
    long error = identity->has_groups ? RAW2(SYS_setgroups, identity->group_count, identity->groups) : 0;
    if (error < 0) return (struct part_failure){ORCH_STEP_IDENTITY, ORCH_PART_GROUPS, error};
    uint32_t group = identity->group, user = identity->user;
    error = identity->has_group ? RAW3(SYS_setresgid, group, group, group) : 0;
    if (error < 0) return (struct part_failure){ORCH_STEP_IDENTITY, ORCH_PART_GROUP, error};
    error = identity->has_user ? RAW3(SYS_setresuid, user, user, user) : 0;
    if (error < 0) return (struct part_failure){ORCH_STEP_IDENTITY, ORCH_PART_USER, error};
    error = identity->gains_no_privileges ? raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0) : 0;
    return (struct part_failure){ORCH_STEP_IDENTITY, ORCH_PART_NO_NEW_PRIVILEGES, error};
}

static IN_CHILD __attribute__((noreturn)) void child_main(const struct child_context *context) {
    const struct orch_spawn_request *request = context->request;
    long error;
    if (request->reserved[0]) {
        // Ours from here on, and short; nobody else's descriptors are touched.
        enum { close_range_unshare = 1 << 1 };
        error = RAW3(SYS_close_range, ORCH_LOW_DESCRIPTORS, ~0u, close_range_unshare);
        if (error < 0) child_fail(context, ORCH_STEP_DESCRIPTORS, error);
    }
    record_identity(context);
    error = RAW0(SYS_setsid);
    if (error < 0) child_fail(context, ORCH_STEP_SESSION, error);
    if (request->descriptor_limit) {
        uint64_t limit[2];
        error = RAW4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, limit);
        if (error >= 0) {
            limit[0] = request->descriptor_limit < limit[1] ? request->descriptor_limit : limit[1];
            error = RAW4(SYS_prlimit64, 0, RLIMIT_NOFILE, limit, 0);
        }
        if (error < 0) child_fail(context, ORCH_STEP_LIMITS, error);
    }
    error = place_descriptors(request);
    if (error < 0) child_fail(context, ORCH_STEP_DESCRIPTORS, error);
    if (request->identity) {
        struct part_failure failure = take_identity(request->identity);
        context->result->part = failure.part;
        if (failure.error < 0) child_fail(context, failure.step, failure.error);
    }
    // As the user it runs as: a directory it can't enter is none it can work in.
    if (request->directory && (error = RAW1(SYS_chdir, request->directory)) < 0)
        child_fail(context, ORCH_STEP_DIRECTORY, error);
    if (request->has_umask) RAW1(SYS_umask, request->umask);
    reset_signals(context->ignored);
    if (request->leaves_processor) {
        error = RAW3(SYS_sched_setaffinity, 0, sizeof orch_all_processors, orch_all_processors);
        if (error < 0) child_fail(context, ORCH_STEP_LIMITS, error);
    }
    child_fail(context, ORCH_STEP_EXECUTE, orch_execute(request));
}

// The child returns nowhere: it runs on below this frame while the parent is stopped, until exec or exit. So the parent
// finds its own frame untouched, and needs no second stack.
static IN_CHILD KEEPS_ITS_FRAME long clone_child(struct clone_arguments *arguments, const struct child_context *context) {
    long pid = RAW2(SYS_clone3, arguments, sizeof *arguments);
    if (pid == 0) child_main(context);
    return pid;
}

/// Signals this process ignores. Asked once, before the first spawn: who ignores does so when it begins.
static uint64_t ignored_signals(void) {
    static uint64_t known;
    static int is_known;
    if (__atomic_load_n(&is_known, __ATOMIC_ACQUIRE)) return known;
    uint64_t ignored = 0;
    for (int number = 1; number <= 64; number++) {
        struct kernel_sigaction action = {0};
        if (RAW4(SYS_rt_sigaction, number, 0, &action, sizeof action.mask) == 0 && (void *)action.handler == (void *)1)
            ignored |= (uint64_t)1 << (number - 1);
    }
    known = ignored;
    __atomic_store_n(&is_known, 1, __ATOMIC_RELEASE);
    return ignored;
}

enum { null_descriptor = ORCH_RESERVED_DESCRIPTORS - 1 };

void orch_reserve_descriptors(int reserved[ORCH_RESERVED_DESCRIPTORS]) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int are_low = null >= 0;
    for (int at = 0; at < ORCH_RESERVED_DESCRIPTORS; at++) {
        reserved[at] = null < 0 ? -1 : fcntl(null, F_DUPFD_CLOEXEC, 3);
        are_low = are_low && reserved[at] >= 3 && reserved[at] < ORCH_LOW_DESCRIPTORS;
    }
    if (null >= 0) close(null);
    for (int at = 0; at < ORCH_RESERVED_DESCRIPTORS && !are_low; at++) {
        if (reserved[at] >= 0) close(reserved[at]);
        reserved[at] = 0;
    }
}

/// Puts the standard descriptors on the reserved ones. False: the child has to copy the whole table.
static int gather_descriptors(struct orch_spawn_request *request) {
    int *standard[] = {&request->standard_input, &request->standard_output, &request->standard_error};
    int can = request->reserved[null_descriptor] > 0;
    for (int at = 0; at < 3 && can; at++) {
        if (*standard[at] < 0) *standard[at] = request->reserved[null_descriptor];
        if (*standard[at] < ORCH_LOW_DESCRIPTORS) continue;
        can = dup3(*standard[at], request->reserved[at], O_CLOEXEC) >= 0;
        *standard[at] = request->reserved[at];
    }
    return can;
}

/// Lets go of the child's ends: a FIFO must not seem to have a writer because of us. The numbers stay taken.
static void release_descriptors(const int reserved[ORCH_RESERVED_DESCRIPTORS]) {
    for (int at = 0; at < null_descriptor; at++)
        if (reserved[at] > 0) dup3(reserved[null_descriptor], reserved[at], O_CLOEXEC);
}

void orch_spawn(const struct orch_spawn_request *wanted, struct orch_spawn_result *result) {
    struct orch_spawn_request copy = *wanted;
    const struct orch_spawn_request *request = &copy;
    int is_gathered = gather_descriptors(&copy);
    if (!is_gathered) {
        copy = *wanted;
        copy.reserved[0] = 0;
    }
    *result = (struct orch_spawn_result){.pid = 0, .pidfd = -1, .step = ORCH_STEP_NONE};
    int pidfd = -1;
    struct clone_arguments arguments = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    if (is_gathered) arguments.flags |= CLONE_FILES;
    if (request->is_keepers_child) {
        arguments.flags |= CLONE_PARENT;
        arguments.exit_signal = 0;
    }
    if (request->cgroup_fd >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)request->cgroup_fd;
    }
    if (request->slot && request->cgroup_fd >= 0) request->slot->flags |= ORCH_SLOT_IN_CGROUP;
    struct child_context context = {.request = request, .result = result, .ignored = ignored_signals()};
    // A handler of ours must not run in the child on our stack; libc's own signals included, hence the raw call.
    uint64_t all = ~(uint64_t)0, before = 0;
    int changes_user = request->identity && (request->identity->has_user || request->identity->has_group);
    int was_dumpable = changes_user && prctl(PR_GET_DUMPABLE) == 1;
    RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) == 0) context.clone_tick = tick(&now);
    long pid = clone_child(&arguments, &context);
    RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof before);
    // The kernel hides the memory of who changes its identity from that user, and until exec the memory was ours.
    if (was_dumpable) prctl(PR_SET_DUMPABLE, 1);
    // The child has executed or ended: it was waited for, as after vfork.
    release_descriptors(wanted->reserved);
    if (pid < 0) {
        // With a cgroup to clone into, everything but a lack of processes or memory is about the cgroup.
        int is_about_cgroup = request->cgroup_fd >= 0 && pid != -EAGAIN && pid != -ENOMEM && pid != -ENOSYS;
        result->step = is_about_cgroup ? ORCH_STEP_CGROUP : ORCH_STEP_FORK;
        result->error = (int)-pid;
        result->pid = 0;
        return;
    }
    result->pid = (int32_t)pid;
    result->pidfd = pidfd;
}

int orch_limit_look(struct orch_limit *limit) {
    struct rlimit pair;
    if (getrlimit((__rlimit_resource_t)limit->number, &pair) < 0) return -errno;
    limit->soft = pair.rlim_cur;
    limit->hard = pair.rlim_max;
    return 0;
}

// In our memory, as a spawn: to copy its tables for a child that ends at once takes milliseconds.
static IN_CHILD KEEPS_ITS_FRAME long clone_and_end(struct clone_arguments *arguments) {
    long pid = RAW2(SYS_clone3, arguments, sizeof *arguments);
    if (pid == 0)
        for (;;) RAW1(SYS_exit_group, 0);
    return pid;
}

int orch_try_cgroup(int cgroup_fd) {
    struct clone_arguments arguments = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)cgroup_fd};
    long pid = clone_and_end(&arguments);
    if (pid < 0) return (int)pid;
    int status;
    while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR) {}
    return 0;
}
