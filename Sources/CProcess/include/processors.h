#pragma once

// Which processors a thread runs on.

#include <stdint.h>

enum { ORCH_PROCESSOR_WORDS = 128 };

/// Every processor there may be.
extern const uint64_t orch_all_processors[ORCH_PROCESSOR_WORDS];

/// Keeps the calling thread to one of the first 64 processors that has no bit in `taken`, the one it runs on if it can.
/// Returns which, or -1 when it keeps to none: all are taken, or it may not run on all to begin with, and would not find
/// back to those it may.
int orch_keep_to_processor(uint64_t taken);

/// Lets the calling thread run on all again. 0 or -errno.
int orch_leave_processor(void);
