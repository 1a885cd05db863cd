// The sidecar of the chaos tests: whatever happens to it and around it, its directory tells afterwards what it did.
//
// usage: chaos-sidecar DIRECTORY INSTANCE [KEY=NUMBER]...
//   period=MS    writes a numbered line this often
//   end=MS       ends by itself after so long, with code=N
//   deaf=1       ignores SIGTERM
//   children=N   forks so many twice, each into a session of its own; stubborn=1 makes them deaf,
//                hidden=1 lets them overwrite their environment
//   port=N       listens there
//
// DIRECTORY/locks/INSTANCE is locked by the one leader that may live, DIRECTORY/locks/INSTANCE.rest by its descendants;
// who finds one of them locked says so in DIRECTORY/shouts. DIRECTORY/lives/INSTANCE.PID.START holds a struct life, which
// a SIGKILL cannot take back, and DIRECTORY/children/INSTANCE.PID.START stands for a descendant.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct life {
    uint64_t written;  // lines
    int64_t told;      // the code it ends with; -1 while it does not
};

static const char *directory;
static const char *instance;
static volatile sig_atomic_t ending;

static void shout(const char *format, ...) {
    char path[4096], text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(path, sizeof path, "%s/shouts", directory);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0 || write(file, text, (size_t)length) != length) _exit(125);
    close(file);
}

static unsigned long long own_start_time(void) {
    char text[1024];
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (length <= 0) _exit(124);
    close(file);
    text[length] = 0;
    const char *field = strrchr(text, ')');
    // The 22nd field; the second ended here.
    for (int skipped = 2; field != NULL && skipped < 22; skipped++) field = strchr(field + 1, ' ');
    return field == NULL ? 0 : strtoull(field + 1, NULL, 10);
}

static int open_in(const char *folder, const char *suffix) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/%s%s", directory, folder, instance, suffix);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) {
        perror(path);
        _exit(123);
    }
    return file;
}

static int open_own(const char *folder) {
    char suffix[64];
    snprintf(suffix, sizeof suffix, ".%d.%llu", (int)getpid(), own_start_time());
    return open_in(folder, suffix);
}

static void claim(void) {
    if (flock(open_in("locks", ""), LOCK_EX | LOCK_NB) != 0)
        shout("double %s: %d finds another leader alive\n", instance, (int)getpid());
    int rest = open_in("locks", ".rest");
    if (flock(rest, LOCK_EX | LOCK_NB) != 0)
        shout("remains %s: %d finds descendants of an earlier life\n", instance, (int)getpid());
    close(rest);
}

static void live_as_descendant(int is_stubborn, int is_hidden) {
    flock(open_in("locks", ".rest"), LOCK_SH);
    close(open_own("children"));
    signal(SIGTERM, is_stubborn ? SIG_IGN : SIG_DFL);
    extern char **environ;
    if (is_hidden)
        for (char **entry = environ; *entry != NULL; entry++) memset(*entry, 'x', strlen(*entry));
    for (;;) pause();
}

static void fork_twice(int is_stubborn, int is_hidden) {
    pid_t child = fork();
    if (child != 0) return;
    setsid();
    if (fork() == 0) live_as_descendant(is_stubborn, is_hidden);
    _exit(0);
}

static void listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0)
        shout("port %d of %s: %s\n", port, instance, strerror(errno));
}

static void write_line(unsigned long long start, uint64_t number) {
    static const char padding[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char line[512];
    int length = snprintf(
        line, sizeof line, "#chaos %d.%llu %llu %.*s #end\n", (int)getpid(), start, (unsigned long long)number,
        (int)(number * 7 % sizeof padding), padding);
    // Shorter than PIPE_BUF: all of it or nothing.
    while (write(STDOUT_FILENO, line, (size_t)length) != length)
        if (errno != EINTR) _exit(122);
}

static void note_signal(int number) { ending = number; }

static long long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int option(int count, char **arguments, const char *key) {
    size_t length = strlen(key);
    for (int index = 3; index < count; index++)
        if (strncmp(arguments[index], key, length) == 0 && arguments[index][length] == '=')
            return atoi(arguments[index] + length + 1);
    return 0;
}

int main(int count, char **arguments) {
    if (count < 3) return 64;
    directory = arguments[1];
    instance = arguments[2];
    int is_deaf = option(count, arguments, "deaf");
    if (is_deaf) signal(SIGTERM, SIG_IGN);
    claim();
    int file = open_own("lives");
    if (ftruncate(file, sizeof(struct life)) != 0) return 121;
    struct life *life = mmap(NULL, sizeof *life, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (life == MAP_FAILED) return 120;
    life->told = -1;
    if (!is_deaf) {
        struct sigaction action = {.sa_handler = note_signal};
        sigaction(SIGTERM, &action, NULL);
    }
    for (int child = option(count, arguments, "children"); child > 0; child--)
        fork_twice(option(count, arguments, "stubborn"), option(count, arguments, "hidden"));
    int port = option(count, arguments, "port");
    if (port != 0) listen_on(port);

    unsigned long long start = own_start_time();
    int period = option(count, arguments, "period");
    int end = option(count, arguments, "end");
    long long begin = milliseconds();
    struct timespec pause_between = {.tv_sec = period / 1000, .tv_nsec = period % 1000 * 1000000L};
    while (!ending && (end == 0 || milliseconds() - begin < end)) {
        write_line(start, life->written);
        life->written++;
        nanosleep(&pause_between, NULL);
    }
    life->told = ending ? 0 : option(count, arguments, "code");
    _exit((int)life->told);
}
