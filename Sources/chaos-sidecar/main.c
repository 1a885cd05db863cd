// The sidecar of the chaos tests: whatever happens to it and around it, its directory tells afterwards what it did.
//
// usage: chaos-sidecar DIRECTORY INSTANCE [KEY=NUMBER]...
//   burst=N      writes so many numbered lines first, as fast as they are taken
//   period=MS    writes a numbered line this often
//   end=MS       ends by itself after so long, with code=N
//   deaf=1       ignores SIGTERM
//   children=N   forks so many twice, each into a session of its own
//   plain=N      forks so many into its own session
//   bomb=N       forks for ever, as do all its descendants, each into a session of its own and N in all; what bounds
//                their number at one time is the limit of processes that the manifest sets, where it sets one
//                Of all descendants: stubborn=1 makes them deaf, hidden=1 lets them overwrite their environment, cleared=1
//                lets them execute the program again with none, and with stopped=1 they and the leader stop themselves
//   port=N       listens there; serve=1 answers each connection with what it sends
//   talk=1       is one of those that serve a client each: says PID.START and what it reads, line by line, on its standard
//                output, and numbers the lines on its standard error. `exit N` ends it; so does the end of its input, where
//                it is not deaf
//
// usage: chaos-sidecar load PORT FILE RATE
//   Sends RATE requests a second, each on a connection of its own, until FILE is there. Prints how many, how many of them
//   failed, and the longest in microseconds.
//
// DIRECTORY/locks/INSTANCE is locked by the one leader that may live, DIRECTORY/locks/INSTANCE.rest by its descendants;
// who finds one of them locked says so in DIRECTORY/shouts. DIRECTORY/lives/INSTANCE.PID.START holds a struct life, which
// a SIGKILL cannot take back, and DIRECTORY/children/INSTANCE.PID.START stands for a descendant.
// Those that talk may be many of one instance, and lock nothing.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct life {
    uint64_t written;  // lines; of a descendant: whose it is
    int64_t told;      // the code it ends with; -1 while it does not
};

static const char *directory;
static const char *instance;
static volatile sig_atomic_t ending;
static int leader_lock;
static pid_t leader;

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
    leader_lock = open_in("locks", "");
    if (flock(leader_lock, LOCK_EX | LOCK_NB) != 0)
        shout("double %s: %d finds another leader alive\n", instance, (int)getpid());
    int rest = open_in("locks", ".rest");
    if (flock(rest, LOCK_EX | LOCK_NB) != 0)
        shout("remains %s: %d finds descendants of an earlier life\n", instance, (int)getpid());
    close(rest);
}

// MARK: Descendants

static int option(int count, char **arguments, const char *key) {
    size_t length = strlen(key);
    for (int index = 3; index < count; index++)
        if (strncmp(arguments[index], key, length) == 0 && arguments[index][length] == '=')
            return atoi(arguments[index] + length + 1);
    return 0;
}

struct manner {
    int is_stubborn, is_hidden, is_cleared, is_stopped;
};

/// A lock belongs to all who share its opening: the leader's is not theirs.
static void claim_as_descendant(void) {
    if (leader_lock > 0) close(leader_lock);
    flock(open_in("locks", ".rest"), LOCK_SH);
}

static void live_as_descendant(struct manner manner) {
    claim_as_descendant();
    int file = open_own("children");
    const struct life life = {.written = (uint64_t)leader, .told = -1};
    if (write(file, &life, sizeof life) != sizeof life) _exit(117);
    close(file);
    signal(SIGTERM, manner.is_stubborn ? SIG_IGN : SIG_DFL);
    extern char **environ;
    if (manner.is_hidden)
        for (char **entry = environ; *entry != NULL; entry++) memset(*entry, 'x', strlen(*entry));
    if (manner.is_stopped) raise(SIGSTOP);
    for (;;) pause();
}

/// The same program with nothing in its environment, as a daemon that cleans up after itself does.
static void execute_without_environment(struct manner manner) {
    char stubborn[32], stopped[32], whose[32], *none[] = {NULL};
    snprintf(stubborn, sizeof stubborn, "stubborn=%d", manner.is_stubborn);
    snprintf(stopped, sizeof stopped, "stopped=%d", manner.is_stopped);
    snprintf(whose, sizeof whose, "leader=%d", (int)leader);
    char *again[] = {"chaos-sidecar", (char *)directory, (char *)instance, "descendant=1", stubborn, stopped, whose, NULL};
    execve("/proc/self/exe", again, none);
    _exit(119);
}

static void begin_as_descendant(struct manner manner) {
    if (manner.is_cleared) execute_without_environment(manner);
    live_as_descendant(manner);
}

static void fork_twice(struct manner manner) {
    pid_t child = fork();
    if (child != 0) return;
    setsid();
    if (fork() == 0) begin_as_descendant(manner);
    _exit(0);
}

static void fork_once(struct manner manner) {
    if (fork() == 0) begin_as_descendant(manner);
}

static void explode(int64_t *forks_left, int is_stubborn) {
    claim_as_descendant();
    signal(SIGTERM, is_stubborn ? SIG_IGN : SIG_DFL);
    setsid();
    struct timespec moment = {.tv_nsec = 2000000};
    for (;;) {
        if (__atomic_load_n(forks_left, __ATOMIC_RELAXED) > 0) {
            pid_t child = fork();
            if (child == 0) setsid();
            if (child > 0) __atomic_sub_fetch(forks_left, 1, __ATOMIC_RELAXED);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
        nanosleep(&moment, NULL);
    }
}

static void start_bomb(int forks, int is_stubborn) {
    // Signed: each of those that see the last one left takes it.
    int64_t *forks_left = mmap(NULL, sizeof *forks_left, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (forks_left == MAP_FAILED) _exit(118);
    *forks_left = forks;
    pid_t child;
    // Zombies of the life before count against the limit until they are reaped.
    while ((child = fork()) < 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (child == 0) explode(forks_left, is_stubborn);
}

// MARK: Requests

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = loopback(port);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0)
        shout("port %d of %s: %s\n", port, instance, strerror(errno));
    return fd;
}

static void serve(int listener) {
    if (fork() != 0) return;
    claim_as_descendant();
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        char text[64];
        ssize_t length = peer < 0 ? 0 : read(peer, text, sizeof text);
        if (length > 0 && write(peer, text, (size_t)length) != length) shout("serve %s: short answer\n", instance);
        if (peer >= 0) close(peer);
    }
}

/// Microseconds the request took; -1 when it failed.
static long long request(int port, unsigned long long number) {
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // Closed by a reset: a port that waits for a minute would be missing soon.
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    struct sockaddr_in address = loopback(port);
    char text[64], answer[64];
    int length = snprintf(text, sizeof text, "request %llu", number);
    int is_right = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && write(fd, text, (size_t)length) == length
        && read(fd, answer, sizeof answer) == length && memcmp(text, answer, (size_t)length) == 0;
    close(fd);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return is_right ? (end.tv_sec - begin.tv_sec) * 1000000LL + (end.tv_nsec - begin.tv_nsec) / 1000 : -1;
}

static int load(int port, const char *end, int rate) {
    unsigned long long count = 0, failed = 0;
    long long longest = 0;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    while (access(end, F_OK) != 0) {
        long long took = request(port, count++);
        if (took < 0) failed++;
        if (took > longest) longest = took;
        next.tv_nsec += 1000000000 / rate;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    printf("%llu %llu %lld\n", count, failed, longest);
    fflush(stdout);
    return failed == 0 ? 0 : 1;
}

// MARK: The leader

static void write_line(int output, unsigned long long start, uint64_t number) {
    static const char padding[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char line[512];
    int length = snprintf(
        line, sizeof line, "#chaos %d.%llu %llu %.*s #end\n", (int)getpid(), start, (unsigned long long)number,
        (int)(number * 7 % sizeof padding), padding);
    // Shorter than PIPE_BUF: all of it or nothing.
    while (write(output, line, (size_t)length) != length)
        if (errno != EINTR) _exit(122);
}

/// Whatever of it the client still takes.
static void say(unsigned long long start, const char *text) {
    char line[256];
    int length = snprintf(line, sizeof line, "%d.%llu %s\n", (int)getpid(), start, text);
    if (write(STDOUT_FILENO, line, (size_t)length) != length) return;
}

static void answer(unsigned long long start, struct life *life, const char *text) {
    write_line(STDERR_FILENO, start, life->written);
    life->written++;
    say(start, text);
    if (strncmp(text, "exit ", 5) != 0) return;
    life->told = atoi(text + 5);
    _exit((int)life->told);
}

static void talk(unsigned long long start, struct life *life, int is_deaf) {
    char text[4096];
    size_t filled = 0;
    signal(SIGPIPE, SIG_IGN);
    say(start, "hello");
    while (!ending) {
        ssize_t count = read(STDIN_FILENO, text + filled, sizeof text - filled);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        filled += (size_t)count;
        char *end;
        while ((end = memchr(text, '\n', filled)) != NULL) {
            *end++ = 0;
            answer(start, life, text);
            filled -= (size_t)(end - text);
            memmove(text, end, filled);
        }
    }
    while (is_deaf) pause();
    life->told = 0;
    _exit(0);
}

static void write_burst(unsigned long long start, struct life *life, int lines) {
    for (; lines > 0 && !ending; lines--) {
        write_line(STDOUT_FILENO, start, life->written);
        life->written++;
    }
}

static void note_signal(int number) { ending = number; }

static long long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int count, char **arguments) {
    if (count == 5 && strcmp(arguments[1], "load") == 0) return load(atoi(arguments[2]), arguments[3], atoi(arguments[4]));
    if (count < 3) return 64;
    directory = arguments[1];
    instance = arguments[2];
    struct manner manner = {
        .is_stubborn = option(count, arguments, "stubborn"),
        .is_hidden = option(count, arguments, "hidden"),
        .is_cleared = option(count, arguments, "cleared"),
        .is_stopped = option(count, arguments, "stopped"),
    };
    leader = option(count, arguments, "leader");
    if (option(count, arguments, "descendant")) live_as_descendant(manner);
    int is_deaf = option(count, arguments, "deaf");
    if (is_deaf) signal(SIGTERM, SIG_IGN);
    int talks = option(count, arguments, "talk");
    if (!talks) claim();
    leader = getpid();
    int file = open_own("lives");
    if (ftruncate(file, sizeof(struct life)) != 0) return 121;
    struct life *life = mmap(NULL, sizeof *life, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (life == MAP_FAILED) return 120;
    life->told = -1;
    if (!is_deaf) {
        struct sigaction action = {.sa_handler = note_signal};
        sigaction(SIGTERM, &action, NULL);
    }
    for (int child = option(count, arguments, "children"); child > 0; child--) fork_twice(manner);
    for (int child = option(count, arguments, "plain"); child > 0; child--) fork_once(manner);
    int bomb = option(count, arguments, "bomb");
    if (bomb != 0) start_bomb(bomb, manner.is_stubborn);
    int port = option(count, arguments, "port");
    int listener = port != 0 ? listen_on(port) : -1;
    if (option(count, arguments, "serve")) serve(listener);

    unsigned long long start = own_start_time();
    if (talks) talk(start, life, is_deaf);
    int period = option(count, arguments, "period");
    int end = option(count, arguments, "end");
    long long begin = milliseconds();
    struct timespec pause_between = {.tv_sec = period / 1000, .tv_nsec = period % 1000 * 1000000L};
    if (manner.is_stopped) raise(SIGSTOP);
    write_burst(start, life, option(count, arguments, "burst"));
    while (!ending && (end == 0 || milliseconds() - begin < end)) {
        write_line(STDOUT_FILENO, start, life->written);
        life->written++;
        nanosleep(&pause_between, NULL);
    }
    life->told = ending ? 0 : option(count, arguments, "code");
    _exit((int)life->told);
}
