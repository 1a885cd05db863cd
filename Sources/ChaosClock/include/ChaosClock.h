// Preloaded into a program, it sets that program's wall clock and touches no other clock.
//
// CHAOS_CLOCK names a file that holds a struct chaos_clock; what is written there counts from the next look at the clock
// on, for every process that has the file, at once. Times that the kernel gives, such as those of files, stay its own.
// A library of our own, as libfaketime shares semaphores and memory among its processes, and `kill -9` leaves them behind.
#ifndef CHAOS_CLOCK_H
#define CHAOS_CLOCK_H

#include <stdint.h>

struct chaos_clock {
    int64_t seconds;  // added to the time of day
    uint64_t looks;   // at the time of day
};

#endif
