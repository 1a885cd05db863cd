import Glibc

/// A thread a test starts and waits for.
final class TestThread {
    private final class Body {
        let work: () -> Void
        init(_ work: @escaping () -> Void) { self.work = work }
    }

    private var thread = pthread_t()

    init(_ work: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(work))
        let failure = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().work()
                return nil
            }, body.toOpaque())
        precondition(failure == 0, "no thread for the test")
    }

    func join() { pthread_join(thread, nil) }
}
