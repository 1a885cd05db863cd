// The sidecar of the benchmarks: notes the clock first thing in main, tells it through a FIFO, and then does the one
// thing its mode names. Static, so that the figures are those of starting a process and not of a dynamic linker.
//
// usage: bench-sidecar CHANNEL INDEX [hold | exit | log | notify | tcp PORT | http PORT | lines BYTES]
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../CRawBaselines/include/CRawBaselines.h"

static int channel = -1;
static struct stamp_record record;

static void tell(uint32_t event) {
    record.event = event;
    // Shorter than PIPE_BUF: records of different processes never mix.
    if (write(channel, &record, sizeof record) != (ssize_t)sizeof record) _exit(3);
}

static void tell_ready(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    record.nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    tell(STAMP_READY);
}

static void notify_ready(void) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) >= sizeof address.sun_path) _exit(4);
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') address.sun_path[0] = 0;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&address, length) != 7) _exit(5);
    close(fd);
}

static int listen_on(const char *port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0) {
        perror(port);
        _exit(6);
    }
    return fd;
}

static void serve(int listener, int answers) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        char request[4096];
        size_t length = 0;
        while (answers && length < sizeof request - 1) {
            ssize_t count = read(client, request + length, sizeof request - 1 - length);
            if (count <= 0) break;
            length += (size_t)count;
            request[length] = 0;
            if (strstr(request, "\r\n\r\n") != NULL) {
                if (write(client, answer, sizeof answer - 1) < 0) break;
                break;
            }
        }
        close(client);
    }
}

static void write_fully(const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = write(STDOUT_FILENO, bytes, length);
        if (count < 0) _exit(7);
        bytes += count;
        length -= (size_t)count;
    }
}

// Numbered lines of 100 bytes, in writes of many lines, as a program with a buffered stdout makes them.
static void write_lines(uint64_t bytes) {
    enum { line = STAMP_LINE_BYTES, lines = 600 };
    static char buffer[line * lines];
    memset(buffer, 'x', sizeof buffer);
    uint64_t number = 0, total = bytes / line;
    while (number < total) {
        size_t count = total - number < lines ? (size_t)(total - number) : lines;
        for (size_t i = 0; i < count; i++) {
            char *at = buffer + i * line;
            uint64_t digits = number++;
            for (int place = 9; place >= 0; place--, digits /= 10) at[place] = (char)('0' + digits % 10);
            at[10] = ' ';
            at[line - 1] = '\n';
        }
        write_fully(buffer, count * line);
    }
}

int main(int argc, char **argv) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (argc < 3) return 64;
    const char *mode = argc > 3 ? argv[3] : "hold";
    if (strcmp(mode, "exit") == 0) return 0;
    record = (struct stamp_record){
        .nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
        .pid = getpid(),
        .parent = getppid(),
        .index = (uint32_t)atoi(argv[2]),
    };
    // Both ends: opening neither waits for the reader nor fails when there is none.
    channel = open(argv[1], O_RDWR | O_CLOEXEC);
    if (channel < 0) {
        perror(argv[1]);
        return 2;
    }
    tell(STAMP_STARTED);
    char alive[4096];
    if (snprintf(alive, sizeof alive, "%s%s", argv[1], STAMP_ALIVE_SUFFIX) >= (int)sizeof alive) return 64;
    if (open(alive, O_WRONLY | O_NONBLOCK | O_CLOEXEC) < 0) {
        perror(alive);
        return 2;
    }
    if (strcmp(mode, "log") == 0) {
        write_fully("ready\n", 6);
        tell_ready();
    } else if (strcmp(mode, "notify") == 0) {
        notify_ready();
        tell_ready();
    } else if (argc > 4 && (strcmp(mode, "tcp") == 0 || strcmp(mode, "http") == 0)) {
        int listener = listen_on(argv[4]);
        tell_ready();
        serve(listener, mode[0] == 'h');
    } else if (argc > 4 && strcmp(mode, "lines") == 0) {
        write_lines(strtoull(argv[4], NULL, 10));
        tell_ready();
        return 0;
    }
    for (;;) pause();
}
