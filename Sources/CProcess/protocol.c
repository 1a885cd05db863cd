#define _GNU_SOURCE
#include "protocol.h"
#include "records.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof(struct orch_message) == 24, "a message is part of the protocol");

static int is_well_formed(int direction, const struct orch_message *message) {
    if (message->version != ORCH_PROTOCOL_VERSION) return 0;
    int is_from_keeper = message->type >= ORCH_MESSAGE_EXITED;
    if (is_from_keeper != (direction == ORCH_TO_SUPERVISOR)) return 0;
    int has_slot = message->slot < ORCH_SLOT_COUNT;
    switch (message->type) {
    case ORCH_MESSAGE_READY:
    case ORCH_MESSAGE_BYE:
    case ORCH_MESSAGE_HOLD:
    case ORCH_MESSAGE_DROP:
    case ORCH_MESSAGE_UPGRADE:
        return 1;
    case ORCH_MESSAGE_GUARD:
        return message->value == 0 || message->value == 1;
    case ORCH_MESSAGE_SPAWNED:
    case ORCH_MESSAGE_RELEASE:
    case ORCH_MESSAGE_EMPTY:
        return has_slot && message->pid > 0;
    case ORCH_MESSAGE_EXITED:
        return has_slot && message->pid > 0 && message->value >= -1;
    case ORCH_MESSAGE_CLEAR:
        return has_slot && message->value >= 0 && message->value <= 64;
    case ORCH_MESSAGE_KILL:
        return has_slot;
    default:
        return 0;
    }
}

size_t orch_decode(
    int direction, const void *bytes, size_t size, struct orch_message *messages, size_t capacity,
    uint32_t *malformed) {
    size_t count = 0;
    const char *at = bytes;
    for (; size >= sizeof *messages; at += sizeof *messages, size -= sizeof *messages) {
        struct orch_message message;
        memcpy(&message, at, sizeof message);
        if (count < capacity && is_well_formed(direction, &message)) {
            messages[count++] = message;
        } else {
            *malformed += 1;
        }
    }
    if (size > 0) *malformed += 1;
    return count;
}

struct orch_message orch_message_make(uint16_t type, uint32_t slot, int32_t pid, int32_t value, uint64_t key) {
    return (struct orch_message){
        .version = ORCH_PROTOCOL_VERSION, .type = type, .slot = slot, .pid = pid, .value = value, .key = key};
}

static const char handover_magic[8] = {'O', 'R', 'C', 'H', 'H', 'A', 'N', 'D'};

static int write_all(int fd, const void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, (const char *)bytes + done, size - done);
        if (written < 0 && errno != EINTR) return -errno;
        if (written > 0) done += (size_t)written;
    }
    return 0;
}

static int read_all(int fd, void *bytes, size_t size, off_t offset) {
    for (size_t done = 0; done < size;) {
        ssize_t count = pread(fd, (char *)bytes + done, size - done, offset + (off_t)done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        if (count == 0) return -EPROTO;
        done += (size_t)count;
    }
    return 0;
}

int orch_handover_write(const struct orch_handover *handover, const struct orch_held *held) {
    if (handover->count > ORCH_HELD_LIMIT) return -EINVAL;
    int fd = memfd_create("handover", MFD_CLOEXEC);
    if (fd < 0) return -errno;
    struct orch_handover copy = *handover;
    memcpy(copy.magic, handover_magic, sizeof copy.magic);
    copy.version = ORCH_HANDOVER_VERSION;
    int error = write_all(fd, &copy, sizeof copy);
    if (!error) error = write_all(fd, held, copy.count * sizeof *held);
    if (!error) return fd;
    close(fd);
    return error;
}

int orch_handover_read(int fd, struct orch_handover *handover, struct orch_held *held, size_t capacity) {
    int error = read_all(fd, handover, sizeof *handover, 0);
    if (error) return error;
    if (memcmp(handover->magic, handover_magic, sizeof handover_magic) != 0) return -EPROTO;
    if (handover->version != ORCH_HANDOVER_VERSION) return -EPROTONOSUPPORT;
    if (handover->count > capacity) return -EPROTO;
    return read_all(fd, held, handover->count * sizeof *held, (off_t)sizeof *handover);
}

union descriptor_control {
    char bytes[CMSG_SPACE(4 * sizeof(int))];
    struct cmsghdr header;
};

int orch_packet_send(int fd, const struct orch_message *messages, size_t count, const int *fds, size_t fd_count) {
    return orch_packet_send_bytes(fd, messages, count * sizeof *messages, fds, fd_count);
}

int orch_packet_send_bytes(int fd, const void *bytes, size_t size, const int *fds, size_t fd_count) {
    if (fd_count > 4) return -EINVAL;
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = size};
    union descriptor_control control = {0};
    struct msghdr packet = {.msg_iov = &vector, .msg_iovlen = 1};
    if (fd_count > 0) {
        packet.msg_control = control.bytes;
        packet.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    for (;;) {
        if (sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 0;
        if (errno != EINTR) return -errno;
    }
}

long orch_packet_receive(int fd, void *bytes, size_t capacity, int fds[4], size_t *fd_count) {
    struct iovec vector = {.iov_base = bytes, .iov_len = capacity};
    union descriptor_control control;
    struct msghdr packet = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *fd_count = 0;
    ssize_t size;
    do {
        size = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0) return -errno;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&packet); header; header = CMSG_NXTHDR(&packet, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        const unsigned char *data = CMSG_DATA(header);
        for (size_t at = 0; at < count; at++) {
            int received;
            memcpy(&received, data + at * sizeof(int), sizeof received);
            if (*fd_count < 4) {
                fds[(*fd_count)++] = received;
            } else {
                close(received);
            }
        }
    }
    return size;
}
