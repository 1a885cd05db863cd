#pragma once

// Which processors a thread runs on.

#include <stdint.h>

enum { ORCH_PROCESSOR_WORDS = 128 };

/// Every processor there may be.
extern const uint64_t orch_all_processors[ORCH_PROCESSOR_WORDS];

/// Keeps the calling thread to one processor: the one it runs on, or another where `taken` has the bit of that. Only the
/// first 64 are considered. Returns which, or -1 when it keeps to none: all are taken, or it may not run on all to begin
/// with, and would not find back to those it may.
int orch_keep_to_processor(uint64_t taken);

/// Lets the calling thread run on all again.
void orch_leave_processor(void);
