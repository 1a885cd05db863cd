import Glibc

/// The first process of a PID namespace, as a container's entrypoint is: its end is the end of all others, signals it
/// does not take are dropped, and every orphan becomes its child.
enum FirstProcess {
    static let isUs = getpid() == 1

    /// Signals that come from now on wait for a `SignalWatch`, instead of being dropped.
    static func holdSignals() {
        guard isUs else { return }
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Whatever became our child and ended. Those we start ourselves are waited for where they are started.
    static func reap() {
        // __WALL, which is behind _GNU_SOURCE: an orphan may have been made by clone without SIGCHLD.
        let anyKind: Int32 = 0x4000_0000
        var status: Int32 = 0
        while waitpid(-1, &status, WNOHANG | anyKind) > 0 {}
    }
}
