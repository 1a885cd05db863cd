#pragma once

// What the kernel can do, found by doing it. Each answers 0, or -errno of the call that failed. Whoever is started for a
// trial has ended when they return.

/// clone3 with a pidfd and fresh signal handlers, and waiting by that pidfd.
int orch_try_clone3(void);
/// A signal to a process group by the pidfd of its leader.
int orch_try_group_signal(void);
/// The exit status of a process that another one has reaped.
int orch_try_exit_status(void);
/// Becoming the parent of orphans.
int orch_try_subreaper(void);
/// The inherited limit that marks descendants.
int orch_try_mark(void);
/// Marking descriptors close-on-exec by the range.
int orch_try_close_range(void);
/// Asking the kernel who listens on a port.
int orch_try_socket_diagnostics(void);
