// The guard reads spawn records that nobody checks any more, and a keeper what an earlier one handed over: whatever
// stands there, what is read can be followed.

#define _GNU_SOURCE
#include "protocol.h"
#include "records.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void read_records(const uint8_t *bytes, size_t size) {
    static struct orch_records records = {.fd = -1};
    static char *memory;
    enum { whole = ORCH_HEADER_SIZE + ORCH_SLOT_COUNT * ORCH_SLOT_SIZE, used = ORCH_HEADER_SIZE + 4 * ORCH_SLOT_SIZE };
    if (!memory) {
        int fd = memfd_create("records", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, whole) < 0) abort();
        memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED) abort();
        records.fd = fd;
    }
    memset(memory, 0, used);
    memcpy(memory, bytes, size < used ? size : used);
    // Half of the inputs get past the header.
    struct orch_records_header *header = (struct orch_records_header *)memory;
    if (size > 0 && bytes[size - 1] & 1) {
        memcpy(header->magic, "ORCHSPWN", 8);
        header->version = ORCH_RECORDS_VERSION;
        header->slot_size = ORCH_SLOT_SIZE;
        header->slot_count = ORCH_SLOT_COUNT;
        header->used_slots %= ORCH_SLOT_COUNT + 1;
        header->cgroup[ORCH_CGROUP_SIZE - 1] = 0;
    }
    struct orch_records mapped;
    if (orch_records_map(records.fd, &mapped) != 0) return;
    if (mapped.header->used_slots > ORCH_SLOT_COUNT) __builtin_trap();
    for (uint32_t at = 0; at < 4; at++) {
        struct orch_stop stop = orch_slot_stop(orch_slot_at(&mapped, at));
        if (stop.target > ORCH_STOP_LEADER || stop.step_count == 0 || stop.step_count > ORCH_STOP_STEPS)
            __builtin_trap();
        for (uint8_t step = 0; step < stop.step_count; step++)
            if (stop.steps[step].signal == 0 || stop.steps[step].signal > 64) __builtin_trap();
        uint32_t slot = 0;
        if (orch_mark_slot(&mapped, mapped.slots[at].mark, &slot) && slot >= ORCH_SLOT_COUNT) __builtin_trap();
    }
    int fd = mapped.fd;
    orch_records_unmap(&mapped);
    if (fd != records.fd) __builtin_trap();
}

static void read_handover(const uint8_t *bytes, size_t size) {
    static int fd = -1;
    if (fd < 0 && (fd = memfd_create("handover", MFD_CLOEXEC)) < 0) abort();
    if (ftruncate(fd, 0) < 0 || pwrite(fd, bytes, size, 0) < 0) abort();
    struct orch_handover handover;
    struct orch_held held[64];
    if (orch_handover_read(fd, &handover, held, 64) == 0) {
        if (handover.count > 64 || sizeof handover + handover.count * sizeof *held > size) __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    read_records(bytes, size);
    read_handover(bytes, size);
    return 0;
}
