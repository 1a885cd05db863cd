#pragma once

/// Gives back what a program that is at rest doesn't need: free heap, and the mapped pages of its own code and constants
/// that were used only to get there. They come back, a page fault each, when they are used again.
void orch_memory_rest(void);
/// One arena for all threads: what one frees the others use.
void orch_memory_share_arena(void);
