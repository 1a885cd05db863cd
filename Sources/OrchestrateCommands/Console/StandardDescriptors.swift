import Glibc

/// 0, 1 and 2, which whoever started this program may have left closed.
enum StandardDescriptors {
    /// Opens /dev/null on those that are closed: a socket or file that were given their number would have warnings
    /// written into it. In this order, as the lowest number that is free is taken.
    static func occupy() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            let opened = open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY)
            // Another number means that another thread was faster, and that this one is taken too.
            if opened > descriptor { close(opened) }
        }
    }
}
