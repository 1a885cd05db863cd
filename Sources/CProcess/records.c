#define _GNU_SOURCE
#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct orch_slot) == ORCH_SLOT_SIZE, "a slot is part of the file format");
_Static_assert(sizeof(struct orch_records_header) <= ORCH_HEADER_SIZE, "the header has one page");

static const char file_magic[8] = {'O', 'R', 'C', 'H', 'S', 'P', 'W', 'N'};
static const char file_name[] = "spawns";

enum { FILE_SIZE = ORCH_HEADER_SIZE + ORCH_SLOT_COUNT * ORCH_SLOT_SIZE };

// A mark is 2^62 + nonce (32 bits), slot (14 bits), generation (16 bits): as a limit of real-time CPU time in
// microseconds it is never reached.
enum { SLOT_BITS = 14, GENERATION_BITS = 16 };
static const uint64_t mark_base = (uint64_t)1 << 62;

uint64_t orch_boot_hash(void) {
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t size = read(fd, text, sizeof text);
    close(fd);
    uint64_t hash = 0xcbf29ce484222325u;
    for (ssize_t at = 0; at < size; at++) hash = (hash ^ (unsigned char)text[at]) * 0x100000001b3u;
    return size > 0 ? hash : 0;
}

static uint64_t pid_namespace(void) {
    struct stat facts;
    return stat("/proc/self/ns/pid", &facts) == 0 ? (uint64_t)facts.st_ino : 0;
}

static uint64_t add_to_hash(uint64_t hash, const void *bytes, size_t size) {
    for (size_t at = 0; at < size; at++) hash = (hash ^ ((const unsigned char *)bytes)[at]) * 0x100000001b3u;
    return hash;
}

uint32_t orch_records_nonce(const char *directory) {
    struct stat facts;
    // The same path may be another directory in another container.
    uint64_t place = stat("/proc/self/ns/mnt", &facts) == 0 ? (uint64_t)facts.st_ino : 0;
    uint32_t user = geteuid();
    uint64_t hash = add_to_hash(0xcbf29ce484222325u, directory, strlen(directory));
    hash = add_to_hash(add_to_hash(hash, &user, sizeof user), &place, sizeof place);
    uint32_t nonce = (uint32_t)(hash ^ hash >> 32);
    struct rlimit limit;
    // Inside another orchestrator's sidecar the hard limit is that one's mark, and ours has to stay below it.
    if (getrlimit(RLIMIT_RTTIME, &limit) == 0 && limit.rlim_max != RLIM_INFINITY && limit.rlim_max >= mark_base) {
        uint32_t outer = (uint32_t)((limit.rlim_max - mark_base) >> (SLOT_BITS + GENERATION_BITS));
        if (outer > 0) nonce %= outer;
    }
    return nonce;
}

/// Of the directory, so that a life whose records were lost is known again by what it left running.
static uint32_t make_nonce(int directory_fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory_fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size < 0 ? 0 : size] = 0;
    return orch_records_nonce(path);
}

static int map_file(int fd, int protection, struct orch_records *records) {
    void *memory = mmap(NULL, FILE_SIZE, protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return -errno;
    // Slots are used one by one. Read ahead, the first would fill memory with all that are free, for milliseconds.
    madvise(memory, FILE_SIZE, MADV_RANDOM);
    records->fd = fd;
    records->header = memory;
    records->slots = (struct orch_slot *)((char *)memory + ORCH_HEADER_SIZE);
    return 0;
}

static int is_usable(const struct orch_records_header *header) {
    return memcmp(header->magic, file_magic, sizeof file_magic) == 0 && header->version == ORCH_RECORDS_VERSION
        && header->slot_size == ORCH_SLOT_SIZE && header->slot_count == ORCH_SLOT_COUNT
        && header->used_slots <= ORCH_SLOT_COUNT && memchr(header->cgroup, 0, ORCH_CGROUP_SIZE);
}

static int map_usable(int fd, int protection, struct orch_records *records) {
    struct stat facts;
    if (fstat(fd, &facts) < 0) return -errno;
    if (facts.st_size != FILE_SIZE) return -EPROTO;
    int error = map_file(fd, protection, records);
    if (error) return error;
    if (is_usable(records->header)) return 0;
    orch_records_unmap(records);
    return -EPROTO;
}

int orch_records_map(int fd, struct orch_records *records) {
    return map_usable(fd, PROT_READ | PROT_WRITE, records);
}

int orch_records_view(int fd, struct orch_records *records) { return map_usable(fd, PROT_READ, records); }

void orch_records_unmap(struct orch_records *records) {
    if (records->header) munmap(records->header, FILE_SIZE);
    records->header = NULL;
    records->slots = NULL;
}

static int create_file(int directory_fd, struct orch_records *records) {
    int fd = openat(directory_fd, file_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return -errno;
    int error = ftruncate(fd, FILE_SIZE) < 0 ? -errno : 0;
    // The header and the first page of slots have blocks before anyone writes through the mapping.
    if (!error && fallocate(fd, 0, 0, ORCH_HEADER_SIZE * 2) < 0 && errno != EOPNOTSUPP) error = -errno;
    if (!error) error = map_file(fd, PROT_READ | PROT_WRITE, records);
    if (error) {
        unlinkat(directory_fd, file_name, 0);
        close(fd);
        return error;
    }
    struct orch_records_header *header = records->header;
    header->version = ORCH_RECORDS_VERSION;
    header->revision = ORCH_RECORDS_REVISION;
    header->slot_size = ORCH_SLOT_SIZE;
    header->slot_count = ORCH_SLOT_COUNT;
    header->boot_hash = orch_boot_hash();
    header->pid_namespace = pid_namespace();
    header->nonce = make_nonce(directory_fd);
    header->must_search = 1;
    if (getrandom(&header->generation_before_first, sizeof header->generation_before_first, GRND_NONBLOCK) < 0)
        header->generation_before_first = (uint32_t)getpid();
    // A slot's generation is not to come round to 0, which is that of one never used.
    header->generation_before_first >>= 1;
    memcpy(header->magic, file_magic, sizeof file_magic);
    return 0;
}

static int is_of_this_boot(const struct orch_records_header *header) {
    return header->boot_hash == orch_boot_hash() && header->pid_namespace == pid_namespace();
}

/// Whether the file was written in this boot by a version whose layout we don't know: what it names may live.
static int is_foreign(int fd) {
    struct orch_records_header header;
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header) return 0;
    return memcmp(header.magic, file_magic, sizeof file_magic) == 0 && header.version > ORCH_RECORDS_VERSION
        && is_of_this_boot(&header);
}

int orch_records_open(int directory_fd, struct orch_records *records) {
    *records = (struct orch_records){.fd = -1};
    int fd = openat(directory_fd, file_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT ? create_file(directory_fd, records) : -errno;
    int error = orch_records_map(fd, records);
    if (!error) {
        if (is_of_this_boot(records->header)) {
            // An earlier revision has zeros where we have more, and they say that nothing is known.
            records->header->revision = ORCH_RECORDS_REVISION;
            return 0;
        }
        orch_records_unmap(records);
    } else if (error == -EPROTO && is_foreign(fd)) {
        error = -EPROTONOSUPPORT;
    }
    if (error && error != -EPROTO) {
        close(fd);
        return error;
    }
    close(fd);
    if (renameat(directory_fd, file_name, directory_fd, "spawns.old") < 0) return -errno;
    return create_file(directory_fd, records);
}

void orch_records_set_supervisor_state(const struct orch_records *records, uint32_t state) {
    uint32_t *word = &records->header->supervisor_state;
    __atomic_store_n(word, state, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

uint32_t orch_records_await_change(const struct orch_records *records, uint32_t state, int64_t timeout_ms) {
    uint32_t *word = &records->header->supervisor_state;
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
    syscall(SYS_futex, word, FUTEX_WAIT, state, &timeout, NULL, 0);
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

int orch_records_reserve(const struct orch_records *records, uint32_t slot) {
    enum { at_once = 64 };
    // Slots are used in order, so each block is passed at its first one.
    if (slot < records->header->used_slots || slot % at_once != 0) return 0;
    off_t offset = ORCH_HEADER_SIZE + (off_t)slot * ORCH_SLOT_SIZE;
    if (fallocate(records->fd, 0, offset, at_once * ORCH_SLOT_SIZE) == 0) return 0;
    return errno == EOPNOTSUPP ? 0 : -errno;
}

uint32_t orch_slot_next_generation(const struct orch_records *records, uint32_t slot) {
    uint32_t last = records->slots[slot].generation;
    return (last ? last : records->header->generation_before_first) + 1;
}

void orch_slot_claim(
    const struct orch_records *records, uint32_t index, uint32_t kind, uint64_t incarnation, const char *name) {
    struct orch_slot *slot = &records->slots[index];
    uint32_t generation = orch_slot_next_generation(records, index);
    memset(slot, 0, sizeof *slot);
    slot->generation = generation;
    slot->kind = kind;
    slot->incarnation = incarnation;
    slot->keeper = orch_records_keeper(records);
    strncpy(slot->name, name, ORCH_NAME_SIZE - 1);
    if (index >= records->header->used_slots)
        __atomic_store_n(&records->header->used_slots, index + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&slot->state, ORCH_SLOT_CLAIMED, __ATOMIC_RELEASE);
}

uint64_t orch_slot_mark_value(const struct orch_records *records, uint32_t slot) {
    uint64_t generation = records->slots[slot].generation & ((1u << GENERATION_BITS) - 1);
    uint64_t number = ((uint64_t)records->header->nonce << SLOT_BITS | slot) << GENERATION_BITS | generation;
    return mark_base + number;
}

int orch_mark_slot(const struct orch_records *records, uint64_t mark, uint32_t *slot) {
    if (mark < mark_base || mark - mark_base >= mark_base) return 0;
    uint64_t number = mark - mark_base;
    if (number >> (SLOT_BITS + GENERATION_BITS) != records->header->nonce) return 0;
    *slot = (uint32_t)(number >> GENERATION_BITS) & (ORCH_SLOT_COUNT - 1);
    return orch_slot_mark_value(records, *slot) == mark;
}

uint64_t orch_records_keeper(const struct orch_records *records) {
    enum { pid_bits = 22 };
    const struct orch_records_header *header = records->header;
    return header->keeper_start_time == 0 ? 0 : header->keeper_start_time << pid_bits | (uint64_t)header->keeper_pid;
}

struct orch_slot *orch_slot_at(const struct orch_records *records, uint32_t slot) {
    return slot < ORCH_SLOT_COUNT ? &records->slots[slot] : NULL;
}

uint32_t orch_slot_state(const struct orch_slot *slot) { return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE); }

void orch_slot_set_state(struct orch_slot *slot, uint32_t state) {
    __atomic_store_n(&slot->state, state, __ATOMIC_RELEASE);
}

struct orch_stop orch_slot_stop(const struct orch_slot *slot) {
    struct orch_stop stop = slot->stop;
    if (stop.target > ORCH_STOP_LEADER) stop.target = ORCH_STOP_MIXED;
    if (stop.step_count > ORCH_STOP_STEPS) stop.step_count = ORCH_STOP_STEPS;
    for (int at = 0; at < stop.step_count; at++)
        if (stop.steps[at].signal == 0 || stop.steps[at].signal > 64) stop.steps[at].signal = SIGTERM;
    if (stop.step_count == 0) {
        stop.step_count = 1;
        stop.steps[0] = (struct orch_stop_step){.signal = SIGTERM, .wait_ms = 10000};
    }
    return stop;
}

const char *orch_slot_name(const struct orch_slot *slot) { return slot->name; }

const char *orch_records_cgroup(const struct orch_records *records) { return records->header->cgroup; }

int orch_records_set_cgroup(const struct orch_records *records, const char *path) {
    if (strlen(path) >= ORCH_CGROUP_SIZE) return -ENAMETOOLONG;
    strcpy(records->header->cgroup, path);
    return 0;
}
