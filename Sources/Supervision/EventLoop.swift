import CProcess
import Glibc
package import SidecarModel

/// The supervisor's one loop: descriptors by epoll, deadlines by one timerfd on the boot-time clock, and work posted from
/// other threads. It sleeps in the kernel until one of them has something; while nothing is due, nothing wakes it.
///
/// Confined to the thread that runs it; only `poster` and mailboxes may leave that thread. A turn is: the descriptors
/// that are ready, the deadlines that are due, then every turn-end handler in the order they were added.
package final class EventLoop {
    /// What a watch waits for. Hang-up and error are always reported.
    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let read = Interest(rawValue: UInt32(LOOP_READABLE))
        package static let write = Interest(rawValue: UInt32(LOOP_WRITABLE))
        package static let priority = Interest(rawValue: UInt32(LOOP_PRIORITY))
        /// The other end of a stream stopped sending.
        package static let peerClosed = Interest(rawValue: UInt32(LOOP_PEER_CLOSED))
        /// Told once per change instead of in every turn: the handler has to take all there is.
        package static let edgeTriggered = Interest(rawValue: UInt32(LOOP_EDGE))
    }

    package struct Readiness: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let readable = Readiness(rawValue: UInt32(LOOP_READABLE))
        package static let writable = Readiness(rawValue: UInt32(LOOP_WRITABLE))
        package static let hangup = Readiness(rawValue: UInt32(LOOP_HANGUP))
        package static let error = Readiness(rawValue: UInt32(LOOP_ERROR))
        package static let priority = Readiness(rawValue: UInt32(LOOP_PRIORITY))
        package static let peerClosed = Readiness(rawValue: UInt32(LOOP_PEER_CLOSED))
    }

    /// A watch for as long as it stands; never used again for another one.
    package struct WatchID: Hashable, Sendable { fileprivate var token: UInt64 }
    package struct TimerID: Hashable, Sendable { fileprivate var order: UInt64 }

    private struct Watch {
        var generation: UInt32
        var descriptor: Int32
        var handler: ((Readiness) -> Void)?
    }

    private static let capacity = 256

    package let poster: LoopPoster
    private let epoll: Int32
    private let timer: Int32
    private var watches: [Watch] = []
    private var free: [Int] = []
    private var timers = TimerHeap()
    private var armed: Instant?
    private var mailboxes: [() -> Void] = []
    private var soon: [() -> Void] = []
    private var turnEnds: [() -> Void] = []
    private var isStopping = false

    package init() throws(SystemError) {
        poster = try LoopPoster()
        epoll = loop_epoll_create()
        guard epoll >= 0 else { throw .last("epoll_create1") }
        timer = loop_timer_create()
        guard timer >= 0 else {
            let failure = SystemError.last("timerfd_create")
            close(epoll)
            throw failure
        }
        _ = try watch(poster.bell, .read) { [unowned self] _ in takePosted() }
        _ = try watch(timer, .read) { [unowned self] _ in acknowledgeTimer() }
    }

    deinit {
        close(epoll)
        close(timer)
    }

    /// Reads the clock.
    package var now: Instant { .now }

    // MARK: Descriptors

    /// Calls the handler in every turn in which the descriptor is ready. The caller keeps the descriptor and unwatches
    /// before closing it. One watch per descriptor.
    package func watch(
        _ fd: Int32, _ interest: Interest, handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> WatchID {
        let slot = free.popLast() ?? watches.count
        if slot == watches.count { watches.append(Watch(generation: 0, descriptor: -1, handler: nil)) }
        watches[slot].generation &+= 1
        let token = UInt64(watches[slot].generation) << 32 | UInt64(slot)
        guard loop_epoll_add(epoll, fd, interest.rawValue, token) == 0 else {
            let failure = SystemError.last("epoll_ctl")
            free.append(slot)
            throw failure
        }
        watches[slot].descriptor = fd
        watches[slot].handler = handler
        return WatchID(token: token)
    }

    package func modify(_ id: WatchID, _ interest: Interest) throws(SystemError) {
        guard let slot = slot(of: id.token) else { return }
        guard loop_epoll_modify(epoll, watches[slot].descriptor, interest.rawValue, id.token) == 0 else {
            throw .last("epoll_ctl")
        }
    }

    /// Nothing of this watch is delivered any more, not even what this turn had already found. Twice is harmless.
    package func unwatch(_ id: WatchID) {
        guard let slot = slot(of: id.token) else { return }
        _ = loop_epoll_remove(epoll, watches[slot].descriptor)
        watches[slot].handler = nil
        watches[slot].descriptor = -1
        free.append(slot)
    }

    private func slot(of token: UInt64) -> Int? {
        let slot = Int(token & 0xffff_ffff)
        guard slot < watches.count, watches[slot].handler != nil,
            watches[slot].generation == UInt32(token >> 32)
        else { return nil }
        return slot
    }

    // MARK: Deadlines

    /// Calls the handler once, in the first turn at or after the instant.
    package func schedule(at instant: Instant, handler: @escaping () -> Void) -> TimerID {
        TimerID(order: timers.insert(at: instant, handler: handler))
    }

    /// Harmless when it fired or was cancelled already.
    package func cancel(_ id: TimerID) { timers.cancel(id.order) }

    private func acknowledgeTimer() {
        var expirations: UInt64 = 0
        _ = read(timer, &expirations, 8)
        armed = nil
    }

    private func fireDue() {
        guard timers.next() != nil else { return }
        // One reading per turn: what handlers schedule for "now" waits for the next turn, so no chain can starve the rest.
        let now = Instant.now
        while let handler = timers.popDue(at: now) { handler() }
    }

    private func arm() throws(SystemError) {
        let next = timers.next()
        guard next != armed else { return }
        // Zero would disarm; an instant before boot is as due as any other past one.
        guard loop_timer_set(timer, next.map { max($0.nanoseconds, 1) } ?? 0) == 0 else {
            throw .last("timerfd_settime")
        }
        armed = next
    }

    /// Calls the handler once, in this turn or the next, after what called this has returned. Costs no system call.
    package func soon(_ handler: @escaping () -> Void) { soon.append(handler) }

    private func runSoon() {
        let handlers = soon
        soon.removeAll(keepingCapacity: true)
        for handler in handlers { handler() }
    }

    // MARK: Other threads

    /// A letter box whose handler runs here. It stays for the life of the loop.
    package func mailbox<Message: Sendable>(
        of type: Message.Type = Message.self, handler: @escaping (Message) -> Void
    ) -> Mailbox<Message> {
        let mailbox = Mailbox<Message>(poster: poster, number: mailboxes.count)
        mailboxes.append { for message in mailbox.take() { handler(message) } }
        return mailbox
    }

    private func takePosted() {
        for item in poster.take() {
            switch item {
            case .work(let work): work()
            case .mail(let number): mailboxes[number]()
            }
        }
    }

    // MARK: Turns

    /// Called at the end of every turn, before the loop sleeps: for work that is done once per batch of events.
    package func onTurnEnd(_ handler: @escaping () -> Void) { turnEnds.append(handler) }

    /// Turns until `stop()`. The turn in which it is called is finished first.
    package func run() throws(SystemError) {
        isStopping = false
        // What was done before the loop ran may have left work for a turn's end.
        for handler in turnEnds { handler() }
        while !isStopping { try turn() }
    }

    package func stop() { isStopping = true }

    /// One turn: waits until something is ready or due, and handles it.
    package func turn() throws(SystemError) {
        try arm()
        let failure: SystemError? = withUnsafeTemporaryAllocation(of: loop_event.self, capacity: Self.capacity) {
            events in
            let count = loop_epoll_wait(epoll, events.baseAddress, Int32(Self.capacity), soon.isEmpty ? -1 : 0)
            guard count >= 0 else { return .last("epoll_wait") }
            for event in events[..<Int(count)] {
                guard let slot = slot(of: event.token) else { continue }
                watches[slot].handler?(Readiness(rawValue: event.flags))
            }
            return nil
        }
        if let failure { throw failure }
        fireDue()
        if !soon.isEmpty { runSoon() }
        for handler in turnEnds { handler() }
    }
}
