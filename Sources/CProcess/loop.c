#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { LOOP_BATCH = 256 };

static uint32_t to_epoll(uint32_t flags) {
    uint32_t events = 0;
    if (flags & LOOP_READABLE) events |= EPOLLIN;
    if (flags & LOOP_WRITABLE) events |= EPOLLOUT;
    if (flags & LOOP_PRIORITY) events |= EPOLLPRI;
    if (flags & LOOP_EDGE) events |= EPOLLET;
    if (flags & LOOP_PEER_CLOSED) events |= EPOLLRDHUP;
    return events;
}

static uint32_t from_epoll(uint32_t events) {
    uint32_t flags = 0;
    if (events & EPOLLIN) flags |= LOOP_READABLE;
    if (events & EPOLLOUT) flags |= LOOP_WRITABLE;
    if (events & EPOLLHUP) flags |= LOOP_HANGUP;
    if (events & EPOLLERR) flags |= LOOP_ERROR;
    if (events & EPOLLPRI) flags |= LOOP_PRIORITY;
    if (events & EPOLLRDHUP) flags |= LOOP_PEER_CLOSED;
    return flags;
}

int loop_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int loop_epoll_add(int epoll, int fd, uint32_t flags, uint64_t token) {
    struct epoll_event event = {.events = to_epoll(flags), .data.u64 = token};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int loop_epoll_modify(int epoll, int fd, uint32_t flags, uint64_t token) {
    struct epoll_event event = {.events = to_epoll(flags), .data.u64 = token};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

int loop_epoll_remove(int epoll, int fd) {
    struct epoll_event ignored = {0};
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &ignored);
}

int loop_epoll_wait(int epoll, struct loop_event *events, int capacity, int timeout_ms) {
    struct epoll_event raw[LOOP_BATCH];
    int count = epoll_wait(epoll, raw, capacity < LOOP_BATCH ? capacity : LOOP_BATCH, timeout_ms);
    if (count < 0) return errno == EINTR ? 0 : -1;
    for (int i = 0; i < count; i++) {
        events[i].token = raw[i].data.u64;
        events[i].flags = from_epoll(raw[i].events);
    }
    return count;
}

int loop_timer_create(void) { return timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK); }

int loop_timer_set(int timer, int64_t at) {
    struct itimerspec when = {0};
    when.it_value.tv_sec = at / 1000000000;
    when.it_value.tv_nsec = at % 1000000000;
    return timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

int loop_eventfd_create(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int loop_signalfd_create(uint64_t mask) {
    sigset_t set;
    sigemptyset(&set);
    for (int number = 1; number <= 64; number++)
        if (mask & (1ull << (number - 1))) sigaddset(&set, number);
    int failure = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (failure != 0) {
        errno = failure;
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int loop_signalfd_read(int fd, int32_t *sender) {
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != (ssize_t)sizeof info) return -1;
    *sender = (int32_t)info.ssi_pid;
    return (int)info.ssi_signo;
}

int loop_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC | O_NONBLOCK); }

ssize_t loop_tee(int from, int to, size_t length) { return tee(from, to, length, SPLICE_F_NONBLOCK); }

ssize_t loop_discard(int from, int null, size_t length) {
    return splice(from, NULL, null, NULL, length, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
}

int loop_fifo_is_full(const char *path) {
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return 0;
    struct pollfd writer = {.fd = fd, .events = POLLOUT};
    int count = poll(&writer, 1, 0);
    close(fd);
    return count == 0;
}

int loop_is_in_memory(const char *path) {
    struct statfs facts;
    return statfs(path, &facts) == 0 && (facts.f_type == TMPFS_MAGIC || facts.f_type == RAMFS_MAGIC);
}

int loop_fifo_announce(int fd, int on) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -1;
    if (on) {
        struct f_owner_ex thread = {.type = F_OWNER_TID, .pid = gettid()};
        if (fcntl(fd, F_SETOWN_EX, &thread) < 0) return -1;
    }
    return fcntl(fd, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC);
}

int loop_pipe_resize(int fd, int bytes) { return fcntl(fd, F_SETPIPE_SZ, bytes); }

int loop_pipe_size(int fd) { return fcntl(fd, F_GETPIPE_SZ); }

int loop_bytes_readable(int fd) {
    int count = 0;
    return ioctl(fd, FIONREAD, &count) < 0 ? -1 : count;
}

int loop_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int loop_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -1;
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

ssize_t loop_receive_with_credentials(int fd, void *buffer, size_t capacity, int32_t *pid, uint32_t *uid) {
    union {
        struct cmsghdr align;
        /* Room for the descriptors a sender may attach too, so that they are seen and closed. */
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 64)];
    } control;
    struct iovec data = {.iov_base = buffer, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *pid = 0;
    *uid = 0;
    ssize_t count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0) return -1;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET) continue;
        if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len >= CMSG_LEN(sizeof(struct ucred))) {
            struct ucred sender;
            memcpy(&sender, CMSG_DATA(part), sizeof sender);
            *pid = sender.pid;
            *uid = sender.uid;
        } else if (part->cmsg_type == SCM_RIGHTS) {
            size_t descriptors = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < descriptors; i++) {
                int descriptor;
                memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
                close(descriptor);
            }
        }
    }
    return count;
}

int loop_inotify_create(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

int loop_inotify_add(int fd, const char *directory) {
    return inotify_add_watch(fd, directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF);
}

int loop_inotify_add_losses(int fd, const char *directory) {
    return inotify_add_watch(
        fd, directory, IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
}

void loop_inotify_remove(int fd, int watch) { inotify_rm_watch(fd, watch); }

const void *loop_find(const void *text, size_t length, const void *part, size_t part_length) {
    return memmem(text, length, part, part_length);
}

const void *loop_find_last(const void *text, int byte, size_t length) { return memrchr(text, byte, length); }

int loop_semaphore_wait(sem_t *semaphore, int64_t nanoseconds) {
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += nanoseconds / 1000000000;
    deadline.tv_nsec += nanoseconds % 1000000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &deadline);
}

void loop_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

const char *loop_error_text(int number) { return strerrordesc_np(number); }
