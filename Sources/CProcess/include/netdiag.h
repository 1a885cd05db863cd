#pragma once
#include <stdint.h>

/* Questions to the kernel's socket tables by NETLINK_SOCK_DIAG. */

enum { NETDIAG_MAX = 64 };

struct netdiag_socket {
    uint32_t inode;
    uint32_t uid;
    uint8_t state;
    /* 16 bytes, an IPv4 address in the first four. */
    uint8_t local[16];
};

/* A netlink socket for the calls below: close-on-exec, used by one thread at a time. */
int netdiag_open(void);
/* Looks up the TCP listener that a connection to this address would reach: exactly one socket. 1 when found, 0 when
   there is none, -1 with errno. family is AF_INET or AF_INET6, address 4 or 16 bytes, port in host order. */
int netdiag_listener(int fd, int family, const uint8_t *address, uint16_t port, struct netdiag_socket *found);
/* All sockets bound to a local port, of TCP or UDP; the number found, at most `capacity` of them stored. */
int netdiag_on_port(
    int fd, int family, int protocol, uint16_t port, struct netdiag_socket *found, int capacity);
