package import Glibc

/// A program that a test started: what it prints, and how it ends.
package final class Program {
    package struct Ended {
        /// 128+n is a signal.
        package let status: Int32
        package let output: String
        package let errors: String

        package var everything: String { output + errors }
    }

    package let pid: pid_t
    private let arguments: [String]
    private var output: Pipe
    private var errors: Pipe
    /// Once it was waited for, its pid may be another's.
    private var ended: Int32?

    /// Starts `arguments` in `directory`, with these variables and no others. On a terminal all it prints is `output`.
    package init(
        _ arguments: [String], directory: String, environment: [String: String], onTerminal: Bool = false
    ) throws {
        self.arguments = arguments
        output = try onTerminal ? Pipe(terminalOf: 24) : Pipe()
        errors = try Pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let terminal = output.terminal {
            // Opened by the leader of a session, it becomes that one's terminal: Ctrl-C is a signal.
            posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
            posix_spawn_file_actions_adddup2(&actions, 0, 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_adddup2(&actions, output.writing, 1)
            posix_spawn_file_actions_adddup2(&actions, errors.writing, 2)
        }
        // Signals reach it as if a person had started it, whatever the test runner ignores or its threads block.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        // POSIX_SPAWN_SETSID is behind _GNU_SOURCE.
        let session: Int32 = onTerminal ? 0x80 : 0
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | session))

        // env changes the directory of this one process; chdir would change that of every test.
        let words = ["/usr/bin/env", "-C", directory] + arguments
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for word in argv + envp { free(word) } }
        var started: pid_t = 0
        let error = posix_spawn(&started, words[0], &actions, &attributes, &argv, &envp)
        guard error == 0 else { throw HarnessError("cannot run \(arguments): \(String(cString: strerror(error)))") }
        pid = started
        output.closeWriting()
        errors.closeWriting()
    }

    package func signal(_ number: Int32) { if ended == nil { kill(pid, number) } }

    /// As if typed at its terminal.
    package func type(_ text: String) { output.type(text) }

    /// As if the window of its terminal were resized.
    package func resize(rows: UInt16, columns: UInt16) { output.resize(rows: rows, columns: columns) }

    /// Waits until it has ended and nobody holds its output. One that does not end in time is killed, and the test fails.
    package func end(within seconds: Int = 60) throws -> Ended {
        let deadline = Deadline(seconds: seconds)
        while output.isOpen || errors.isOpen {
            guard let left = deadline.milliseconds else {
                kill(pid, SIGKILL)
                _ = reap()
                throw HarnessError("not done within \(seconds) s: \(arguments)\n\(output.text)\(errors.text)")
            }
            Pipe.read([output, errors], waitingAtMost: left)
        }
        return Ended(status: reap(), output: output.text, errors: errors.text)
    }

    /// Waits until a line of its output contains `text`.
    package func prints(_ text: String, within seconds: Int = 30) throws {
        let deadline = Deadline(seconds: seconds)
        while !output.text.contains(text), !errors.text.contains(text) {
            guard let left = deadline.milliseconds, output.isOpen || errors.isOpen else {
                throw HarnessError("'\(text)' was not printed by \(arguments):\n\(output.text)\(errors.text)")
            }
            Pipe.read([output, errors], waitingAtMost: left)
        }
    }

    /// Whether it has printed that by now.
    package func has(printed text: String) -> Bool {
        Pipe.read([output, errors], waitingAtMost: 0)
        return output.text.contains(text) || errors.text.contains(text)
    }

    /// What it has printed by now, but for its errors.
    package var printed: String {
        Pipe.read([output, errors], waitingAtMost: 0)
        return output.text
    }

    /// Nobody holds its output any more.
    var isOver: Bool {
        Pipe.read([output, errors], waitingAtMost: 0)
        return !output.isOpen
    }

    private func reap() -> Int32 {
        if let ended { return ended }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let code = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
        ended = code
        return code
    }
}

package struct HarnessError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

package struct Deadline {
    private let instant: ContinuousClock.Instant

    package init(seconds: Int) { instant = .now + .seconds(seconds) }

    /// What is left, or nil when it has passed.
    package var milliseconds: Int32? {
        let left = instant - .now
        return left > .zero ? Int32(left / .milliseconds(1)) + 1 : nil
    }

    /// Looks again and again until it holds: what is looked at is outside, and tells nobody when it changes. False when it
    /// did not come in time.
    package func comes(every milliseconds: Int32, _ holds: () throws -> Bool) rethrows -> Bool {
        while try !holds() {
            guard self.milliseconds != nil else { return false }
            poll(nil, 0, milliseconds)
        }
        return true
    }
}

/// The reading end of a program's output.
package final class Pipe {
    private let reading: Int32
    package private(set) var writing: Int32
    package private(set) var isOpen = true
    private var bytes: [UInt8] = []

    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// A terminal's path. What is read is what it would show.
    package let terminal: String?

    package init(terminalOf rows: UInt16) throws {
        reading = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        // TIOCSPTLCK and TIOCGPTN: posix_openpt and its kin are behind _GNU_SOURCE.
        var locked: Int32 = 0
        var number: UInt32 = 0
        guard reading >= 0, ioctl(reading, 0x4004_5431, &locked) == 0, ioctl(reading, 0x8004_5430, &number) == 0 else {
            throw HarnessError("no terminal: errno \(errno)")
        }
        terminal = "/dev/pts/\(number)"
        writing = -1
        resize(rows: rows, columns: 120)
    }

    package func resize(rows: UInt16, columns: UInt16) {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(reading, UInt(TIOCSWINSZ), &size)
    }

    package func type(_ text: String) { _ = text.withCString { write(reading, $0, strlen($0)) } }

    package init() throws {
        terminal = nil
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw HarnessError("no pipe: errno \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        reading = ends[0]
        writing = ends[1]
    }

    deinit {
        close(reading)
        closeWriting()
    }

    package func closeWriting() {
        if writing >= 0 { close(writing) }
        writing = -1
    }

    package static func read(_ pipes: [Pipe], waitingAtMost milliseconds: Int32) {
        let open = pipes.filter(\.isOpen)
        var entries = open.map { pollfd(fd: $0.reading, events: Int16(POLLIN), revents: 0) }
        guard poll(&entries, nfds_t(entries.count), milliseconds) > 0 else { return }
        for (pipe, entry) in zip(open, entries) where entry.revents != 0 { pipe.readOnce() }
    }

    private func readOnce() {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = Glibc.read(reading, &chunk, chunk.count)
        if count > 0 { bytes += chunk[..<count] } else { isOpen = false }
    }
}
