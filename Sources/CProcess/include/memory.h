#pragma once

#include <stddef.h>

/// Gives back what a program that is at rest doesn't need: free heap, and the mapped pages of its own code and constants
/// that were used only to get there. They come back, a page fault each, when they are used again.
void orch_memory_rest(void);
/// For a program that is about to need so much and then ends: the heap grows by it at once, in large pages where the
/// machine has them, and nothing is given back meanwhile. Costs nothing until it is used.
void orch_memory_expect(size_t bytes);
/// One arena for all threads: what one frees the others use.
void orch_memory_share_arena(void);
