#pragma once
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the Glibc module does not show to Swift of epoll, timerfd, eventfd, signalfd, inotify and sockets.
   Every function answers as its system call does: -1 and errno on failure. */

enum {
    LOOP_READABLE = 1u << 0,
    LOOP_WRITABLE = 1u << 1,
    LOOP_HANGUP = 1u << 2,
    LOOP_ERROR = 1u << 3,
    LOOP_PRIORITY = 1u << 4,
    LOOP_EDGE = 1u << 5,
    LOOP_PEER_CLOSED = 1u << 6,
};

struct loop_event {
    uint64_t token;
    uint32_t flags;
};

int loop_epoll_create(void);
int loop_epoll_add(int epoll, int fd, uint32_t flags, uint64_t token);
int loop_epoll_modify(int epoll, int fd, uint32_t flags, uint64_t token);
int loop_epoll_remove(int epoll, int fd);
/* Waits without limit when the timeout is negative. A signal is no failure: it answers 0. */
int loop_epoll_wait(int epoll, struct loop_event *events, int capacity, int timeout_ms);

/* CLOCK_BOOTTIME, non-blocking. */
int loop_timer_create(void);
/* Absolute nanoseconds since boot; 0 disarms. */
int loop_timer_set(int timer, int64_t at);
int loop_eventfd_create(void);
/* Blocks the signals of the mask (bit n-1 for signal n) in this thread and answers a descriptor that delivers them. */
int loop_signalfd_create(uint64_t mask);
/* The next signal and who sent it; -1 when there is none. */
int loop_signalfd_read(int fd, int32_t *sender);

int loop_pipe(int ends[2]);
ssize_t loop_tee(int from, int to, size_t length);
/* Throws away what waits in a pipe, at most `length` bytes, without copying; `null` is an open /dev/null. */
ssize_t loop_discard(int from, int null, size_t length);
/* True when a write to the FIFO would wait now. */
int loop_fifo_is_full(const char *path);
/* True when what is in this directory never reaches a disk. */
int loop_is_in_memory(const char *path);
/* Has SIGIO sent to the calling thread at every write to the FIFO of this read end, or stops it. */
int loop_fifo_announce(int fd, int on);
/* Grows or shrinks a pipe; answers the size it has now. */
int loop_pipe_resize(int fd, int bytes);
int loop_pipe_size(int fd);
/* Bytes waiting in a pipe or socket. */
int loop_bytes_readable(int fd);

/* accept4 with non-blocking and close-on-exec. */
int loop_accept(int fd);
/* The process at the other end of a Unix socket. */
int loop_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid);
/* A datagram with the credentials the kernel vouches for. pid is 0 when it gave none. */
ssize_t loop_receive_with_credentials(int fd, void *buffer, size_t capacity, int32_t *pid, uint32_t *uid);

int loop_inotify_create(void);
/* What is new in a directory, and that it is gone. */
int loop_inotify_add(int fd, const char *directory);
/* Of the directory itself, and of what is in it. */
int loop_inotify_add_losses(int fd, const char *directory);
/* Its mark is given up in the background; a close that is the first to do so waits for that, some 10 ms. */
void loop_inotify_remove(int fd, int watch);

/* memmem and memrchr, which are GNU's. */
const void *loop_find(const void *text, size_t length, const void *part, size_t part_length);
const void *loop_find_last(const void *text, int byte, size_t length);
/* Names the calling thread. */
void loop_name_thread(const char *name);
/// Waits so long at most, whatever becomes of the wall clock meanwhile. 0, or -1 and errno.
int loop_semaphore_wait(sem_t *semaphore, int64_t nanoseconds);

/* A static text for an errno, or NULL. */
const char *loop_error_text(int number);
