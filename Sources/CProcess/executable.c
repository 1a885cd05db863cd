#define _GNU_SOURCE
#include "spawning.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int join_path(char *path, size_t capacity, const char *first, size_t first_size, const char *second) {
    const char *separator = first_size == 0 || first[first_size - 1] == '/' ? "" : "/";
    int size = snprintf(path, capacity, "%.*s%s%s", (int)first_size, first, separator, second);
    return size >= 0 && (size_t)size < capacity ? 0 : -ENAMETOOLONG;
}

// 0 when it can be executed, seen from `directory`.
static int try_file(const char *file, const char *directory) {
    char absolute[8192];
    if (file[0] != '/' && directory) {
        int error = join_path(absolute, sizeof absolute, directory, strlen(directory), file);
        if (error) return error;
        file = absolute;
    }
    struct stat facts;
    if (stat(file, &facts) < 0) return -errno;
    if (!S_ISREG(facts.st_mode)) return S_ISDIR(facts.st_mode) ? -EISDIR : -EACCES;
    return faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int orch_find_executable(
    const char *name, const char *search_path, const char *directory, char *found, size_t capacity) {
    if (name[0] == 0) return -ENOENT;
    if (strchr(name, '/')) {
        if (strlen(name) >= capacity) return -ENAMETOOLONG;
        strcpy(found, name);
        return try_file(name, directory);
    }
    int result = -ENOENT;
    const char *entry = search_path ? search_path : "/usr/local/bin:/usr/bin:/bin";
    for (;;) {
        size_t size = strcspn(entry, ":");
        // An empty entry is the working directory, as in every shell.
        int error = size ? join_path(found, capacity, entry, size, name) : join_path(found, capacity, ".", 1, name);
        if (!error) error = try_file(found, directory);
        if (!error) return 0;
        if (error != -ENOENT && error != -ENOTDIR && result == -ENOENT) result = error;
        if (entry[size] == 0) return result;
        entry += size + 1;
    }
}
