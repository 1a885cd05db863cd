#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

// To the supervisor: slots with news, each at most once in the queue, so it can't overflow.
static uint16_t queue[ORCH_SLOT_COUNT];
static uint32_t queue_start, queue_count;
static bool waits_for_room;

static struct orch_held held[ORCH_HELD_LIMIT];
static uint32_t held_count;

static void enqueue(uint32_t slot) {
    if (queue_count == ORCH_SLOT_COUNT) return;
    queue[(queue_start + queue_count++) % ORCH_SLOT_COUNT] = (uint16_t)slot;
}

void queue_exit(uint32_t slot) {
    struct leader *leader = &leaders[slot];
    if (!leader->exit_is_queued && !leader->empty_is_queued) enqueue(slot);
    leader->exit_is_queued = true;
}

void queue_empty(uint32_t slot) {
    struct leader *leader = &leaders[slot];
    if (!leader->exit_is_queued && !leader->empty_is_queued) enqueue(slot);
    // An exit that says that nothing remains says it all.
    if (!leader->exit_is_queued) leader->empty_is_queued = true;
}

static struct orch_message news_of(uint32_t slot) {
    struct leader *leader = &leaders[slot];
    uint16_t type = leader->exit_is_queued ? ORCH_MESSAGE_EXITED : ORCH_MESSAGE_EMPTY;
    return orch_message_make(type, slot, leader->pid, leader->remaining, 0);
}

static void wait_for_room(bool wait) {
    if (wait == waits_for_room) return;
    struct epoll_event event = {
        .events = EPOLLIN | (wait ? EPOLLOUT : 0), .data.u64 = watch_token(TAG_SOCKET, 0)};
    if (epoll_ctl(keeper.epoll, EPOLL_CTL_MOD, keeper.supervisor.socket, &event) == 0) waits_for_room = wait;
}

void flush_mail(void) {
    while (queue_count > 0 && keeper.supervisor.socket >= 0) {
        struct orch_message packet[ORCH_PACKET_MESSAGES];
        uint32_t taken = 0, size = 0;
        for (; taken < queue_count && size < ORCH_PACKET_MESSAGES; taken++) {
            uint32_t slot = queue[(queue_start + taken) % ORCH_SLOT_COUNT];
            bool has_news = leaders[slot].exit_is_queued || leaders[slot].empty_is_queued;
            if (has_news) packet[size++] = news_of(slot);
        }
        int error = size ? orch_packet_send(keeper.supervisor.socket, packet, size, NULL, 0) : 0;
        if (error == -EAGAIN || error == -ENOBUFS) {
            wait_for_room(true);
            return;
        }
        for (uint32_t at = 0; at < taken; at++) {
            struct leader *leader = &leaders[queue[(queue_start + at) % ORCH_SLOT_COUNT]];
            leader->exit_is_queued = false;
            leader->empty_is_queued = false;
        }
        queue_start = (queue_start + taken) % ORCH_SLOT_COUNT;
        queue_count -= taken;
    }
    if (keeper.supervisor.socket >= 0) wait_for_room(false);
}

/// The next supervisor reads the records; it is told only what happens after them.
void forget_mail(void) {
    for (uint32_t at = 0; at < queue_count; at++) {
        struct leader *leader = &leaders[queue[(queue_start + at) % ORCH_SLOT_COUNT]];
        leader->exit_is_queued = false;
        leader->empty_is_queued = false;
    }
    queue_count = 0;
    waits_for_room = false;
}

void hold(uint64_t key, int fd) {
    if (held_count < ORCH_HELD_LIMIT) {
        held[held_count++] = (struct orch_held){.key = key, .fd = fd};
    } else {
        close(fd);
    }
}

uint32_t list_held(const struct orch_held **list) {
    *list = held;
    return held_count;
}

static void drop(uint64_t key) {
    for (uint32_t at = 0; at < held_count;) {
        if (held[at].key == key) {
            close(held[at].fd);
            held[at] = held[--held_count];
        } else {
            at++;
        }
    }
}

static void clear_leader(uint32_t slot, int signal, bool is_killing) {
    struct leader *leader = &leaders[slot];
    if (leader->pid == 0) return;
    if (is_killing) {
        leader->is_killing = true;
        if (!leader->has_exited) {
            if (leader->pidfd >= 0) orch_pidfd_signal_group(leader->pidfd, SIGKILL);
            kill(leader->pid, SIGKILL);
        }
    }
    // A leader that can't end doesn't keep what it left behind from being killed.
    if (!leader->has_exited && !is_killing) return;
    if (signal > 0) leader->signal = (uint8_t)signal;
    open_leader(slot);
}

/// Nothing changes before the supervisor has ended.
static void prepare_upgrade(const int *fds, size_t count) {
    if (count != 2 || keeper.next_image >= 0) {
        for (size_t at = 0; at < count; at++) close(fds[at]);
        keeper.records.header->malformed_messages++;
        return;
    }
    keeper.next_program = fds[0];
    keeper.next_image = fds[1];
}

static void obey(const struct orch_message *message, const int *fds, size_t fd_count) {
    switch (message->type) {
    case ORCH_MESSAGE_READY:
        supervisor_is_ready();
        break;
    case ORCH_MESSAGE_SPAWNED:
        if (!take_up(message->slot, message->pid)) keeper.records.header->malformed_messages++;
        break;
    case ORCH_MESSAGE_RELEASE: release_leader(message->slot, message->pid); break;
    case ORCH_MESSAGE_CLEAR: clear_leader(message->slot, message->value, false); break;
    case ORCH_MESSAGE_KILL: clear_leader(message->slot, 0, true); break;
    case ORCH_MESSAGE_HOLD:
        // A supervisor that begins has all held anew, what the one before it had held too.
        if (fd_count > 0) drop(message->key);
        for (size_t at = 0; at < fd_count; at++) hold(message->key, fds[at]);
        break;
    case ORCH_MESSAGE_DROP: drop(message->key); break;
    case ORCH_MESSAGE_BYE: keeper.supervisor.said_bye = true; break;
    case ORCH_MESSAGE_GUARD: want_guard(message->value == 1); break;
    case ORCH_MESSAGE_UPGRADE: prepare_upgrade(fds, fd_count); break;
    }
}

void receive_mail(void) {
    for (;;) {
        struct orch_message bytes[ORCH_PACKET_MESSAGES], packet[ORCH_PACKET_MESSAGES];
        int fds[4];
        size_t fd_count;
        if (keeper.supervisor.socket < 0) return;
        long size = orch_packet_receive(keeper.supervisor.socket, bytes, sizeof bytes, fds, &fd_count);
        if (size == -EAGAIN) return;
        if (size <= 0) {
            supervisor_socket_closed();
            return;
        }
        size_t count = orch_decode(
            ORCH_TO_KEEPER, bytes, (size_t)size, packet, ORCH_PACKET_MESSAGES,
            &keeper.records.header->malformed_messages);
        bool are_taken = false;
        for (size_t at = 0; at < count; at++) {
            // A packet's descriptors belong to its first message that takes any.
            bool can_take = packet[at].type == ORCH_MESSAGE_HOLD || packet[at].type == ORCH_MESSAGE_UPGRADE;
            bool takes = can_take && !are_taken;
            obey(&packet[at], fds, takes ? fd_count : 0);
            are_taken = are_taken || takes;
        }
        for (size_t at = 0; at < fd_count && !are_taken; at++) close(fds[at]);
    }
}
