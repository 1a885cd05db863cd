#define _GNU_SOURCE
#include "netdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN = 10 };

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

int netdiag_open(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG); }

static int send_request(int fd, const void *bytes, size_t length) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;
    do {
        sent = sendto(fd, bytes, length, 0, (struct sockaddr *)&kernel, sizeof kernel);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)length ? 0 : -1;
}

static void describe(const struct inet_diag_msg *message, struct netdiag_socket *found) {
    found->inode = message->idiag_inode;
    found->uid = message->idiag_uid;
    found->state = message->idiag_state;
    memcpy(found->local, message->id.idiag_src, sizeof found->local);
}

static ssize_t receive(int fd, void *buffer, size_t capacity) {
    ssize_t count;
    do {
        count = recv(fd, buffer, capacity, 0);
    } while (count < 0 && errno == EINTR);
    return count;
}

int netdiag_listener(int fd, int family, const uint8_t *address, uint16_t port, struct netdiag_socket *found) {
    struct request request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .body = {
            .sdiag_family = (uint8_t)family,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_states = 1u << LISTEN,
            .id = {.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
        },
    };
    /* The kernel looks up as for a packet that arrives: its source is our destination, with no port of its own. */
    size_t length = family == AF_INET ? 4 : 16;
    request.body.id.idiag_sport = htons(port);
    memcpy(request.body.id.idiag_src, address, length);
    memcpy(request.body.id.idiag_dst, address, length);
    if (send_request(fd, &request, sizeof request) < 0) return -1;

    union {
        struct nlmsghdr header;
        char bytes[4096];
    } answer;
    ssize_t count = receive(fd, answer.bytes, sizeof answer.bytes);
    if (count < (ssize_t)sizeof answer.header) return -1;
    if (answer.header.nlmsg_type == NLMSG_ERROR) {
        if (count < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr))) return -1;
        const struct nlmsgerr *failure = NLMSG_DATA(&answer.header);
        if (failure->error == -ENOENT) return 0;
        errno = -failure->error;
        return -1;
    }
    if (count < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg))) return -1;
    describe(NLMSG_DATA(&answer.header), found);
    return 1;
}

int netdiag_on_port(
    int fd, int family, int protocol, uint16_t port, struct netdiag_socket *found, int capacity) {
    struct {
        struct request request;
        struct nlattr attribute;
        struct inet_diag_bc_op operations[4];
    } dump = {
        .request = {
            .header = {.nlmsg_len = sizeof dump, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
            .body = {.sdiag_family = (uint8_t)family, .sdiag_protocol = (uint8_t)protocol, .idiag_states = ~0u},
        },
        .attribute = {.nla_len = sizeof(struct nlattr) + sizeof dump.operations,
                      .nla_type = INET_DIAG_REQ_BYTECODE},
        /* port >= wanted, else leave; port <= wanted, else leave. The port stands in the following word. */
        .operations = {
            {.code = INET_DIAG_BC_S_GE, .yes = 8, .no = 20},
            {.no = port},
            {.code = INET_DIAG_BC_S_LE, .yes = 8, .no = 12},
            {.no = port},
        },
    };
    if (send_request(fd, &dump, sizeof dump) < 0) return -1;

    int total = 0;
    int failure = 0;
    for (;;) {
        union {
            struct nlmsghdr header;
            char bytes[16384];
        } answer;
        ssize_t count = receive(fd, answer.bytes, sizeof answer.bytes);
        if (count <= 0) return -1;
        unsigned left = (unsigned)count;
        for (struct nlmsghdr *part = &answer.header; NLMSG_OK(part, left); part = NLMSG_NEXT(part, left)) {
            if (part->nlmsg_type == NLMSG_DONE) {
                errno = failure;
                return failure ? -1 : total;
            }
            if (part->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *error = NLMSG_DATA(part);
                errno = -error->error;
                return -1;
            }
            if (part->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) {
                failure = EPROTO;
                continue;
            }
            if (total < capacity) describe(NLMSG_DATA(part), &found[total]);
            total++;
        }
    }
}
