import CProcess
import Glibc

/// A thread of its own for work that must not hold up the loop.
package final class WorkerThread: Sendable {
    private final class Body: Sendable {
        let name: String
        let work: @Sendable () -> Void

        init(name: String, work: @escaping @Sendable () -> Void) {
            self.name = name
            self.work = work
        }
    }

    private let thread: pthread_t

    /// The name is what `top -H` shows; at most 15 bytes of it.
    package init(name: String, work: @escaping @Sendable () -> Void) throws(SystemError) {
        let body = Unmanaged.passRetained(Body(name: name, work: work))
        var thread = pthread_t()
        // Signals belong to the loop: a new thread inherits this mask and never gets any.
        var all = sigset_t()
        var previous = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &previous)
        let failure = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                loop_name_thread(String(body.name.prefix(15)))
                body.work()
                return nil
            }, body.toOpaque())
        pthread_sigmask(SIG_SETMASK, &previous, nil)
        guard failure == 0 else {
            body.release()
            throw SystemError(call: SystemError.startingThread, errno: failure)
        }
        self.thread = thread
    }

    /// Lets it end by itself. Instead of `join`.
    package func detach() { pthread_detach(thread) }

    /// Waits until the work has returned. Once.
    package func join() { pthread_join(thread, nil) }
}
