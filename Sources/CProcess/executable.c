#define _GNU_SOURCE
#include "child.h"
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
    const char *entry = search_path ? search_path : ORCH_DEFAULT_PATH;
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

// What follows runs in the child.

/// False: no file has so long a name.
static IN_CHILD int join_in_child(char *path, size_t capacity, const char *first, size_t first_size, const char *name) {
    size_t size = 0;
    for (size_t at = 0; at < first_size && size < capacity; at++) path[size++] = first[at];
    if (size < capacity) path[size++] = '/';
    for (size_t at = 0; size < capacity; at++) {
        path[size++] = name[at];
        if (name[at] == 0) return 1;
    }
    return 0;
}

static IN_CHILD const char *search_path(char *const *environment) {
    const char *path = ORCH_DEFAULT_PATH, *name = "PATH=";
    for (; *environment; environment++) {
        int at = 0;
        while (name[at] && (*environment)[at] == name[at]) at++;
        if (name[at] == 0) path = *environment + at;
    }
    return path;
}

/// As `execvp` goes on where it may not execute what is there, and says so only in the end. -errno.
static IN_CHILD long execute_along_path(const struct orch_spawn_request *request) {
    const char *name = request->arguments[0], *entry = search_path(request->environment);
    char path[4096];
    for (;;) {
        size_t size = 0;
        while (entry[size] != 0 && entry[size] != ':') size++;
        // An empty entry is the working directory, as in every shell.
        int fits = size ? join_in_child(path, sizeof path, entry, size, name)
                        : join_in_child(path, sizeof path, ".", 1, name);
        long error = fits ? RAW3(SYS_execve, path, request->arguments, request->environment) : -ENOENT;
        if (error != -EACCES && error != -ENOENT && error != -ENOTDIR) return error;
        if (entry[size] == 0) return -EACCES;
        entry += size + 1;
    }
}

static IN_CHILD int is_bare(const char *name) {
    while (*name && *name != '/') name++;
    return *name == 0;
}

IN_CHILD long orch_execute(const struct orch_spawn_request *request) {
    long error = RAW3(SYS_execve, request->path, request->arguments, request->environment);
    // It was found with the eyes of who may look everywhere.
    if (error != -EACCES || !request->identity || !is_bare(request->arguments[0])) return error;
    return execute_along_path(request);
}
