#pragma once

// Unix sockets at paths of any length, and in the abstract namespace. All are close-on-exec and non-blocking.

/// A connection, or -errno: -ENOENT and -ECONNREFUSED mean that nobody listens, -EAGAIN that the backlog is full.
int orch_unix_connect(const char *path);
/// Listens at the path, readable and writable by its owner alone. -errno; -EADDRINUSE: there is a file already.
int orch_unix_listen(const char *path, int backlog);

/// The same for packets (SOCK_SEQPACKET), which keep their borders and may carry descriptors.
int orch_unix_connect_packets(const char *path);
int orch_unix_listen_packets(const char *path, int backlog);

/// The same by a name that is no file: it is free again the moment its holder ends, however it ends.
int orch_unix_connect_name(const char *name);
int orch_unix_listen_name(const char *name, int backlog);
