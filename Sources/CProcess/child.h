#pragma once

// What runs in a child between clone and exec, on the parent's stack and memory: no libc call that may touch shared
// state, and no sanitizer, whose bookkeeping would be the parent's.

#include "rawcalls.h"
#include "spawning.h"

#define IN_CHILD __attribute__((noinline, no_sanitize("address", "undefined")))

/// Executes the request's program. Returns -errno when it can't.
IN_CHILD long orch_execute(const struct orch_spawn_request *request);
