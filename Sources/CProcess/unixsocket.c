#define _GNU_SOURCE
#include "unixsocket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef int (*socket_call)(int, const struct sockaddr *, socklen_t);

static int call_with(int fd, socket_call call, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    return call(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

/// A path too long for `sun_path` is reached through a descriptor of its directory.
static int call_at(int fd, socket_call call, const char *path) {
    if (strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path) return call_with(fd, call, path);
    const char *slash = strrchr(path, '/');
    char directory[4096], nearby[sizeof((struct sockaddr_un *)0)->sun_path];
    if (!slash || (size_t)(slash - path) >= sizeof directory) return -ENAMETOOLONG;
    memcpy(directory, path, (size_t)(slash - path));
    directory[slash - path] = 0;
    int at = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) return -errno;
    int size = snprintf(nearby, sizeof nearby, "/proc/self/fd/%d%s", at, slash);
    int result = size < 0 || (size_t)size >= sizeof nearby ? -ENAMETOOLONG : call_with(fd, call, nearby);
    close(at);
    return result;
}

static int call_by_name(int fd, socket_call call, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    if (length + 1 > sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path + 1, name, length);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    return call(fd, (struct sockaddr *)&address, size) < 0 ? -errno : 0;
}

static int open_socket(int type) {
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

static int keep_or_close(int fd, int error) {
    if (error == 0) return fd;
    close(fd);
    return error;
}

static int connect_to(const char *path, int type) {
    int fd = open_socket(type);
    return fd < 0 ? fd : keep_or_close(fd, call_at(fd, connect, path));
}

int orch_unix_connect(const char *path) { return connect_to(path, SOCK_STREAM); }

int orch_unix_connect_packets(const char *path) { return connect_to(path, SOCK_SEQPACKET); }

int orch_unix_connect_name(const char *name) {
    int fd = open_socket(SOCK_STREAM);
    return fd < 0 ? fd : keep_or_close(fd, call_by_name(fd, connect, name));
}

static int listen_at(const char *path, int type, int backlog) {
    int fd = open_socket(type);
    if (fd < 0) return fd;
    // The file takes its mode from the socket: it is never there with another one.
    int error = fchmod(fd, 0600) < 0 ? -errno : call_at(fd, bind, path);
    if (error == 0 && listen(fd, backlog) < 0) error = -errno;
    return keep_or_close(fd, error);
}

int orch_unix_listen(const char *path, int backlog) { return listen_at(path, SOCK_STREAM, backlog); }

int orch_unix_listen_packets(const char *path, int backlog) { return listen_at(path, SOCK_SEQPACKET, backlog); }

int orch_unix_listen_name(const char *name, int backlog) {
    int fd = open_socket(SOCK_STREAM);
    if (fd < 0) return fd;
    int error = call_by_name(fd, bind, name);
    if (error == 0 && listen(fd, backlog) < 0) error = -errno;
    return keep_or_close(fd, error);
}
