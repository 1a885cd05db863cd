import Glibc

/// A FIFO whose writing end the test holds, for a program to have as its input.
package final class HeldInput {
    package let path: String
    private var descriptor: Int32

    package init(in sandbox: Sandbox) {
        path = "\(sandbox.directory)/input.\(UInt32.random(in: 0 ... .max))"
        mkfifo(path, 0o600)
        if let user = sandbox.user { chown(path, user, user) }
        // Open for both, so that neither side waits for the other.
        descriptor = open(path, O_RDWR | O_CLOEXEC)
    }

    deinit { close() }

    /// Once the program has it: from then on the program's end of it is the only one.
    package func leaveReading() {
        let both = descriptor
        descriptor = open(path, O_WRONLY | O_CLOEXEC)
        Glibc.close(both)
    }

    package func send(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        // A program that has ended reads no more. Blocked for this thread: what a process ignores is inherited by what
        // other tests start meanwhile.
        var pipe = sigset_t()
        var former = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &pipe, &former)
        if write(descriptor, bytes, bytes.count) < 0, errno == EPIPE {
            var now = timespec()
            sigtimedwait(&pipe, nil, &now)
        }
        pthread_sigmask(SIG_SETMASK, &former, nil)
    }

    package func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}
