import CProcess
import Glibc

/// The supervisor's end of the socket to the keeper. Messages of one turn go together; nothing here ever waits.
///
/// Confined to the loop's thread.
final class KeeperLink {
    private struct Letter {
        var message: orch_message
        /// Copies of ours, closed once they are sent.
        var descriptors: [Int32] = []

        /// What comes after it in another order would have another meaning.
        var isAboutHolding: Bool { message.type == ORCH_MESSAGE_HOLD || message.type == ORCH_MESSAGE_DROP }
    }

    private let loop: EventLoop
    private let socket: Int32
    private var watch: EventLoop.WatchID?
    private var letters: [Letter] = []
    private var isFlushDue = false
    private var waitsForRoom = false
    private(set) var isOpen = true
    /// For holds that can't wait for the loop.
    let shortcut: KeeperShortcut

    /// Messages that were not well-formed.
    private(set) var malformed: UInt32 = 0
    var onMessages: ([orch_message]) -> Void = { _ in }
    var onClosed: () -> Void = {}

    /// Takes over the descriptor.
    init(loop: EventLoop, socket: Int32) throws(SystemError) {
        self.loop = loop
        self.socket = socket
        shortcut = KeeperShortcut(socket: socket)
        watch = try loop.watch(socket, .read) { [unowned self] readiness in ready(readiness) }
    }

    deinit { shut() }

    func send(_ type: Int, slot: UInt32 = 0, pid: Int32 = 0, value: Int32 = 0, key: UInt64 = 0) {
        append(Letter(message: orch_message_make(UInt16(type), slot, pid, value, key)))
    }

    /// The keeper keeps copies of them open until `drop`.
    func hold(key: UInt64, _ descriptors: [Int32]) {
        let copies = descriptors.prefix(4).map { fcntl($0, F_DUPFD_CLOEXEC, 3) }.filter { $0 >= 0 }
        let message = orch_message_make(UInt16(ORCH_MESSAGE_HOLD), 0, 0, 0, key)
        append(Letter(message: message, descriptors: copies))
        // A supervisor that takes up many would have as many copies open at once.
        if letters.count >= Self.mostCopied { flush() }
    }

    private static let mostCopied = 16

    /// The programs to go on as.
    func hand(over program: Int32, _ keeper: Int32) {
        let copies = [program, keeper].map { fcntl($0, F_DUPFD_CLOEXEC, 3) }
        guard copies.allSatisfy({ $0 >= 0 }) else {
            for copy in copies where copy >= 0 { close(copy) }
            return
        }
        append(
            Letter(message: orch_message_make(UInt16(ORCH_MESSAGE_UPGRADE), 0, 0, 0, 0), descriptors: copies))
    }

    func drop(key: UInt64) { send(ORCH_MESSAGE_DROP, key: key) }

    private func append(_ letter: Letter) {
        guard isOpen else {
            for descriptor in letter.descriptors { close(descriptor) }
            return
        }
        if letter.isAboutHolding { shortcut.close() }
        letters.append(letter)
        guard !isFlushDue else { return }
        isFlushDue = true
        loop.soon { [weak self] in self?.flush() }
    }

    /// Sends what is waiting, as far as there is room.
    func flush() {
        isFlushDue = false
        var sent = 0
        while sent < letters.count, isOpen {
            var end = sent + 1
            if letters[sent].descriptors.isEmpty {
                while end < letters.count, end - sent < Int(ORCH_PACKET_MESSAGES), letters[end].descriptors.isEmpty {
                    end += 1
                }
            }
            let failure = transmit(letters[sent..<end])
            if failure == -EAGAIN || failure == -ENOBUFS { break }
            if failure != 0 {
                lose()
                return
            }
            for letter in letters[sent..<end] { for descriptor in letter.descriptors { close(descriptor) } }
            sent = end
        }
        letters.removeFirst(sent)
        if !letters.contains(where: \.isAboutHolding) { shortcut.open() }
        wait(forRoom: !letters.isEmpty)
    }

    /// Sends all there is, waiting for a slow keeper, but not for a stopped one.
    func flushAll() {
        flush()
        while isOpen, !letters.isEmpty {
            var poller = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            guard poll(&poller, 1, 2000) == 1 else { return }
            flush()
        }
    }

    private func transmit(_ letters: ArraySlice<Letter>) -> Int32 {
        let messages = letters.map(\.message)
        let descriptors = letters.first?.descriptors ?? []
        return orch_packet_send(socket, messages, messages.count, descriptors, descriptors.count)
    }

    private func wait(forRoom wait: Bool) {
        guard wait != waitsForRoom, let watch else { return }
        waitsForRoom = wait
        // It can only fail for a descriptor that isn't watched.
        try? loop.modify(watch, wait ? [.read, .write] : .read)
    }

    private func ready(_ readiness: EventLoop.Readiness) {
        if readiness.contains(.writable) { flush() }
        guard !readiness.isDisjoint(with: [.readable, .hangup, .error]) else { return }
        let capacity = Int(ORCH_PACKET_MESSAGES)
        var bytes = [orch_message](repeating: orch_message(), count: capacity)
        var messages = bytes
        while isOpen {
            var descriptors: (Int32, Int32, Int32, Int32) = (-1, -1, -1, -1)
            var descriptorCount = 0
            let size = withUnsafeMutableBytes(of: &descriptors) { raw in
                orch_packet_receive(
                    socket, &bytes, capacity * MemoryLayout<orch_message>.stride,
                    raw.baseAddress?.assumingMemoryBound(to: Int32.self), &descriptorCount)
            }
            if size == -Int(EAGAIN) { return }
            if size <= 0 {
                lose()
                return
            }
            let count = orch_decode(
                Int32(ORCH_TO_SUPERVISOR), bytes, size, &messages, capacity, &malformed)
            onMessages(Array(messages[..<count]))
        }
    }

    private func lose() {
        guard isOpen else { return }
        shut()
        onClosed()
    }

    private func shut() {
        guard isOpen else { return }
        isOpen = false
        if let watch { loop.unwatch(watch) }
        shortcut.end()
        close(socket)
        for letter in letters { for descriptor in letter.descriptors { close(descriptor) } }
        letters = []
    }
}
