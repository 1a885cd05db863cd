// A disk that stalls: a file of a FUSE mount, which a loop device makes a disk of.
//
// usage: chaos-disk DIRECTORY MEBIBYTES PACE PLACE
//   Mounts a file `disk` at DIRECTORY, says "mounted", and serves it until nobody has it mounted or open any more. What is
//   written there is in memory. PACE is a file that holds a struct pace, by which requests wait. One request at a time: who
//   comes after one that waits, waits too, as at a disk. When the process that started it is gone, it takes the mounts at
//   PLACE and DIRECTORY away itself.
//
// The protocol as far as a loop device uses it: linux/fuse.h.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ROOT = FUSE_ROOT_ID, DISK, LONGEST_WRITE = 1 << 17, LONGEST_REQUEST = LONGEST_WRITE + 4096 };

struct pace {
    uint64_t share;    // of a thousand requests so many wait
    uint64_t longest;  // milliseconds, at most
    uint64_t waits;    // how many have waited
    uint64_t waited;   // milliseconds, all of them
};

static char *disk;
static size_t disk_size;
static struct pace *pace;
static uint64_t chance;

static uint64_t draw(uint64_t limit) {
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance % limit;
}

static void stall(void) {
    uint64_t share = __atomic_load_n(&pace->share, __ATOMIC_RELAXED);
    uint64_t longest = __atomic_load_n(&pace->longest, __ATOMIC_RELAXED);
    if (longest == 0 || draw(1000) >= share) return;
    uint64_t wait = draw(longest) + 1;
    pace->waits++;
    pace->waited += wait;
    nanosleep(&(struct timespec){.tv_sec = (time_t)(wait / 1000), .tv_nsec = (long)(wait % 1000) * 1000000}, NULL);
}

// MARK: Answers

struct answer {
    int error;  // 0, or a negative errno
    const void *body;
    size_t length;
};

static const struct answer done = {0};

static struct fuse_attr attributes(uint64_t node) {
    struct fuse_attr of_node = {.ino = node, .nlink = 1, .blksize = 4096};
    of_node.mode = node == ROOT ? S_IFDIR | 0700 : S_IFREG | 0600;
    of_node.size = node == ROOT ? 0 : disk_size;
    of_node.blocks = of_node.size / 512;
    return of_node;
}

static struct answer start(const struct fuse_init_in *asked) {
    static struct fuse_init_out out;
    out = (struct fuse_init_out){
        .major = FUSE_KERNEL_VERSION,
        .minor = asked->minor < 31 ? asked->minor : 31,
        .max_readahead = asked->max_readahead,
        .flags = FUSE_BIG_WRITES,
        .max_background = 16,
        .congestion_threshold = 12,
        .max_write = LONGEST_WRITE,
        .time_gran = 1,
    };
    return (struct answer){.body = &out, .length = sizeof out};
}

static struct answer look_up(const char *name) {
    static struct fuse_entry_out out;
    if (strcmp(name, "disk") != 0) return (struct answer){.error = -ENOENT};
    out = (struct fuse_entry_out){.nodeid = DISK, .entry_valid = 3600, .attr_valid = 3600, .attr = attributes(DISK)};
    return (struct answer){.body = &out, .length = sizeof out};
}

static struct answer tell_attributes(uint64_t node) {
    static struct fuse_attr_out out;
    out = (struct fuse_attr_out){.attr_valid = 3600, .attr = attributes(node)};
    return (struct answer){.body = &out, .length = sizeof out};
}

static struct answer read_disk(const struct fuse_read_in *asked) {
    if (asked->offset >= disk_size) return done;
    size_t there = disk_size - asked->offset;
    stall();
    return (struct answer){.body = disk + asked->offset, .length = asked->size < there ? asked->size : there};
}

static struct answer write_disk(const struct fuse_write_in *asked) {
    static struct fuse_write_out out;
    if (asked->offset > disk_size || asked->size > disk_size - asked->offset) return (struct answer){.error = -ENOSPC};
    stall();
    memcpy(disk + asked->offset, asked + 1, asked->size);
    out = (struct fuse_write_out){.size = asked->size};
    return (struct answer){.body = &out, .length = sizeof out};
}

static struct answer answer(const struct fuse_in_header *request) {
    static const struct fuse_open_out opened;
    const void *asked = request + 1;
    switch (request->opcode) {
    case FUSE_INIT: return start(asked);
    case FUSE_LOOKUP: return look_up(asked);
    case FUSE_GETATTR: return tell_attributes(request->nodeid);
    case FUSE_OPEN:
    case FUSE_OPENDIR: return (struct answer){.body = &opened, .length = sizeof opened};
    case FUSE_READ: return read_disk(asked);
    case FUSE_WRITE: return write_disk(asked);
    case FUSE_FSYNC: stall(); return done;
    case FUSE_FLUSH:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_READDIR:
    case FUSE_ACCESS: return done;
    default: return (struct answer){.error = -ENOSYS};
    }
}

// MARK: The mount

static int mount_at(const char *directory) {
    char options[128];
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (device < 0 || mount("chaos-disk", directory, "fuse", MS_NOSUID | MS_NODEV, options) != 0) {
        perror(directory);
        exit(1);
    }
    return device;
}

/// False once nobody can ask any more.
static int serve_one(int device) {
    static char request[LONGEST_REQUEST] __attribute__((aligned(8)));
    ssize_t length = read(device, request, sizeof request);
    if (length < 0) return errno == EINTR || errno == ENOENT || errno == EAGAIN;
    const struct fuse_in_header *head = (const void *)request;
    if (head->opcode == FUSE_FORGET || head->opcode == FUSE_BATCH_FORGET || head->opcode == FUSE_INTERRUPT) return 1;
    struct answer given = answer(head);
    struct fuse_out_header out = {
        .len = (uint32_t)(sizeof out + given.length), .error = given.error, .unique = head->unique};
    struct iovec parts[] = {{&out, sizeof out}, {(void *)given.body, given.length}};
    return writev(device, parts, given.length > 0 ? 2 : 1) >= 0 || errno == ENOENT;
}

/// By another process: the last of what is on the disk is written while it is unmounted, and served here.
static void take_away(const char *place, const char *directory) {
    signal(SIGCHLD, SIG_IGN);
    if (fork() != 0) return;
    umount2(place, MNT_DETACH);
    umount2(directory, MNT_DETACH);
    _exit(0);
}

int main(int count, char **arguments) {
    if (count != 5) return 64;
    // Ctrl-C is for who started it; until then others still need the disk.
    setsid();
    signal(SIGHUP, SIG_IGN);
    int starter = (int)syscall(SYS_pidfd_open, getppid(), 0);
    disk_size = (size_t)atoi(arguments[2]) << 20;
    int file = open(arguments[3], O_RDWR | O_CLOEXEC);
    pace = mmap(NULL, sizeof *pace, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    chance = (uint64_t)getpid() << 1 | 1;
    disk = mmap(NULL, disk_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pace == MAP_FAILED || disk == MAP_FAILED || starter < 0) return 1;
    int device = mount_at(arguments[1]);
    printf("mounted\n");
    fflush(stdout);
    struct pollfd watched[] = {{.fd = device, .events = POLLIN}, {.fd = starter, .events = POLLIN}};
    for (;;) {
        if (poll(watched, 2, -1) < 0 && errno != EINTR) return 1;
        if (watched[1].revents != 0) {
            pace->longest = 0;
            take_away(arguments[4], arguments[1]);
            watched[1].fd = -1;
            watched[1].revents = 0;
        }
        if (watched[0].revents != 0 && !serve_one(device)) return 0;
    }
}
