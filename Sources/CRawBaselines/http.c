#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "CRawBaselines.h"

static int check(int port) {
    static const char request[] = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char answer[4096];
    ssize_t length = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1)
        length = recv(fd, answer, sizeof answer, 0);
    close(fd);
    return length > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
}

int raw_http_checks(int first, int count) {
    int good = 0;
    for (int i = 0; i < count; i++) good += check(first + i);
    return good;
}
