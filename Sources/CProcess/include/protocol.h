#pragma once

// What keeper and supervisor say to each other: packets of up to ORCH_PACKET_MESSAGES fixed-size messages on a
// SOCK_SEQPACKET pair.

#include <stddef.h>
#include <stdint.h>

#define ORCH_PROTOCOL_VERSION 1u
#define ORCH_PACKET_MESSAGES 128u

enum {
    // Supervisor to keeper

    /// It serves: the ready descriptor is no longer needed, and an exit from now on is a death.
    ORCH_MESSAGE_READY = 1,
    /// slot, pid: a child of the keeper runs there.
    ORCH_MESSAGE_SPAWNED = 2,
    /// slot, pid: its status may be reaped, the slot freed.
    ORCH_MESSAGE_RELEASE = 3,
    /// slot, value: send this signal (0: none) to all that remains, then say EMPTY when nothing does.
    ORCH_MESSAGE_CLEAR = 4,
    /// slot: SIGKILL to the leader and all that remains or appears, then EMPTY.
    ORCH_MESSAGE_KILL = 5,
    /// key, with descriptors: keep them open.
    ORCH_MESSAGE_HOLD = 6,
    /// key: close them.
    ORCH_MESSAGE_DROP = 7,
    /// All is down: the supervisor's exit is the end.
    ORCH_MESSAGE_BYE = 8,
    /// value: whether a guard is to end the project (1) when keeper and supervisor are both lost.
    ORCH_MESSAGE_GUARD = 9,
    /// with two descriptors, the supervisor's and the keeper's programs: the supervisor ends now, and both go on as these.
    ORCH_MESSAGE_UPGRADE = 10,

    // Keeper to supervisor

    /// slot, pid, value: the leader ended, its status is in the slot; value of its processes remain, -1 when not counted.
    ORCH_MESSAGE_EXITED = 64,
    /// slot, pid: nothing of it remains.
    ORCH_MESSAGE_EMPTY = 65,
};

struct orch_message {
    uint16_t version;
    uint16_t type;
    uint32_t slot;
    int32_t pid;
    int32_t value;
    uint64_t key;
};

enum { ORCH_TO_KEEPER = 0, ORCH_TO_SUPERVISOR = 1 };

/// Reads a packet. Whatever is not well-formed for that direction is left out and counted. Returns how many are in
/// `messages`, at most `capacity`.
size_t orch_decode(
    int direction, const void *bytes, size_t size, struct orch_message *messages, size_t capacity, uint32_t *malformed);

struct orch_message orch_message_make(uint16_t type, uint32_t slot, int32_t pid, int32_t value, uint64_t key);

/// What a keeper leaves to the one that goes on in its place, in a file of `count` entries behind this.
struct orch_handover {
    char magic[8];
    uint32_t version;
    uint32_t count;
    int32_t lock;
    int32_t records;
    /// Its end is what the guard waits for; -1: there was none.
    int32_t alarm;
    uint32_t unused;
};

/// A descriptor kept open by its key.
struct orch_held {
    uint64_t key;
    int32_t fd;
    uint32_t unused;
};

/// In a key: the next supervisor is given the descriptor too, and does not only find it kept open.
#define ORCH_HELD_RETURNED (1ull << 63)

#define ORCH_HANDOVER_VERSION 1u
#define ORCH_HELD_LIMIT 65536u

/// A descriptor of the file, or -errno.
int orch_handover_write(const struct orch_handover *handover, const struct orch_held *held);
/// Reads at most `capacity` entries. -EPROTO: it is none; -EPROTONOSUPPORT: of a version we can't follow.
int orch_handover_read(int fd, struct orch_handover *handover, struct orch_held *held, size_t capacity);

/// Sends one packet, without waiting, with up to 4 descriptors. Returns 0 or -errno.
int orch_packet_send(int fd, const struct orch_message *messages, size_t count, const int *fds, size_t fd_count);
/// The same for a packet of anything.
int orch_packet_send_bytes(int fd, const void *bytes, size_t size, const int *fds, size_t fd_count);
/// Receives one packet, without waiting. Returns its size, 0 at the end, or -errno. Descriptors that came along are
/// close-on-exec.
long orch_packet_receive(int fd, void *bytes, size_t capacity, int fds[4], size_t *fd_count);
