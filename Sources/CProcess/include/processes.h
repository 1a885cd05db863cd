#pragma once

// Looking at processes and signalling them by proven identity.

#include <stddef.h>
#include <stdint.h>

struct orch_process_facts {
    int32_t pid;
    int32_t parent;
    int32_t group;
    int32_t session;
    char state;
    uint64_t start_time;
};

/// From /proc/PID/stat. 0 or -errno (-ESRCH: no such process).
int orch_process_look(int32_t pid, struct orch_process_facts *facts);
/// Whether the process with this pid that started at that time is there, and no zombie.
int orch_process_lives(int32_t pid, uint64_t start_time);
/// The value of RLIMIT_RTTIME that is a mark of this project (by nonce), or 0.
uint64_t orch_process_mark(int32_t pid, uint32_t nonce);
/// The marks of any projects it carries, the innermost first. Returns how many.
int orch_process_marks(int32_t pid, uint64_t marks[2]);
/// The nonce of the project a mark belongs to.
uint32_t orch_mark_nonce(uint64_t mark);
/// Whether it carries a mark of any project; then also the nonce in it.
int orch_process_any_mark(int32_t pid, uint32_t *nonce);
/// The kernel function the process waits in, or an empty string.
void orch_process_wait_channel(int32_t pid, char *name, size_t capacity);

/// -errno or the descriptor.
int orch_pidfd_open(int32_t pid);
/// A pidfd of the process with this pid that started at that time, or -ESRCH when it is gone, or another one.
int orch_pidfd_open_proven(int32_t pid, uint64_t start_time);
int orch_pidfd_signal(int pidfd, int signal);
/// The process group led by the pidfd's process, also after its leader was reaped. -EINVAL: this kernel can't.
int orch_pidfd_signal_group(int pidfd, int signal);
/// Whether its process has ended.
int orch_pidfd_has_ended(int pidfd);
/// How a process ended that is not a child, whether its parent has reaped it or not. 0, or -errno: -EAGAIN, it runs, or is
/// another user's and not reaped yet; else the kernel can't tell (before Linux 6.15).
int orch_pidfd_exit_status(int pidfd, int *kind, int *value);
/// The same of the process with this pid that started at that time, while nobody has reaped it. -ESRCH: somebody has.
int orch_process_exit_status(int32_t pid, uint64_t start_time, int *kind, int *value);
/// Waits for an own child that ended, and reaps it. 0 or -errno.
int orch_pidfd_reap(int pidfd, int *kind, int *value);

/// Children of the process, all threads'. Returns how many there are; stores at most `capacity`. -errno when unreadable.
long orch_children(int32_t pid, int32_t *pids, size_t capacity);

/// Signals the process only if it still carries the mark or is in the session led by `leader` — proved while it is held
/// by a pidfd. 0, or -ESRCH.
int orch_signal_member(int32_t pid, uint64_t mark, uint32_t nonce, int32_t leader, int signal);

/// Signals each descendant that is a member. Returns how many were.
long orch_signal_descendants(int32_t pid, uint64_t mark, uint32_t nonce, int32_t leader, int signal);

/// Sets the soft limit of open files to the hard one and returns what it was.
uint64_t orch_raise_descriptor_limit(void);

/// Makes the table of open files large enough for `count`, as far as the hard limit goes. To be called before there is a
/// second thread: from then on the kernel waits for a grace period, some 10 ms, whenever the table grows, and holds up
/// whoever opens something meanwhile.
void orch_grow_descriptor_table(int fd, uint64_t count);
/// The name shown by ps; a program started from a descriptor would be called after its number.
void orch_set_process_name(const char *name);
/// A descriptor to read the bytes from, at offset 0. -errno when there is no memory for it.
int orch_memory_file(const void *bytes, size_t size);
/// Errors as a sentence: "no such file or directory".
const char *orch_error_text(int error);
