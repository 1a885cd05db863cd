#define _GNU_SOURCE
#include "memory.h"

#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int drop_segments(struct dl_phdr_info *object, size_t size, void *page_size) {
    (void)size;
    uintptr_t page = *(const uintptr_t *)page_size;
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
        // A writable segment holds changes that are nowhere else.
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr + page - 1) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(page - 1);
        if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void orch_memory_rest(void) {
    malloc_trim(0);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    dl_iterate_phdr(drop_segments, &page);
}

void orch_memory_expect(size_t bytes) {
    enum { longest_in_heap = 32 << 20, more_than_is_free = 1 << 20 };
    const uintptr_t large_page = 2 << 20;
    mallopt(M_MMAP_THRESHOLD, longest_in_heap);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, bytes < INT_MAX ? (int)bytes : INT_MAX);
    // Whatever comes next that has no room makes the heap grow.
    char *block = malloc(more_than_is_free);
    if (!block) return;
    uintptr_t start = ((uintptr_t)block + large_page - 1) & ~(large_page - 1);
    uintptr_t end = (uintptr_t)sbrk(0) & ~(large_page - 1);
    if (start < end) madvise((void *)start, end - start, MADV_HUGEPAGE);
    free(block);
}

void orch_memory_share_arena(void) { mallopt(M_ARENA_MAX, 1); }
