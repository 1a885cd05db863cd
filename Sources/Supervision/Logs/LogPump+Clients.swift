import Glibc

/// Standard input and output for a client that attaches. No byte passes through the supervisor: the client holds the
/// other ends of the sidecar's FIFOs itself, so that nothing breaks when the supervisor does.
extension LogPump {
    /// The sidecar's end of an input that nobody wrote to yet. Open for writing too: it never ends, and waits instead.
    package func openInput(_ instance: LogInstance) throws(SystemError) -> Int32 {
        let name = InstanceFifo.input.name(of: instance)
        // What a client wrote to an earlier life is not for this one.
        fifos.unlink(name)
        try fifos.make(name)
        try fifos.make(InstanceFifo.presence.name(of: instance))
        guard let fd = fifos.openEnd(name, O_RDWR) else { throw .last("open \(name)") }
        return fd
    }

    /// What hangs up when the client that announced itself is gone. Nil: there is no client.
    package func openPresence(_ instance: LogInstance) -> Int32? {
        guard let fd = fifos.openEnd(InstanceFifo.presence.name(of: instance), O_RDONLY | O_NONBLOCK) else {
            return nil
        }
        guard !hasLeft(fd) else {
            close(fd)
            return nil
        }
        return fd
    }

    /// Who has locked that presence, as the kernel's table of locks says. Nil when it doesn't.
    package func pidOfPresence(_ presence: Int32) -> Int32? {
        var facts = stat()
        guard fstat(presence, &facts) == 0 else { return nil }
        return KernelLocks.holders(ofInode: facts.st_ino)?.first { $0 > 0 }
    }

    /// Whether nobody holds that presence any more.
    package func hasLeft(_ presence: Int32) -> Bool { LogFifos.isEnded(presence) }
}

/// A client's side of it, in the client's process.
package struct ClientEnds: ~Copyable {
    /// -1: the sidecar has closed its standard input.
    package let input: Int32
    package let output: Int32

    /// Opens the ends, once the supervisor has left them to this client. Neither ever blocks.
    package init(stateDirectory: String, instance: LogInstance) throws(SystemError) {
        let printed = try Self.open(.output, of: instance, in: stateDirectory, O_RDONLY)
        let typed: Int32
        do throws(SystemError) {
            typed = try Self.open(.input, of: instance, in: stateDirectory, O_WRONLY)
        } catch {
            guard error.errno == ENXIO else {
                close(printed)
                throw error
            }
            typed = -1
        }
        output = printed
        input = typed
    }

    deinit {
        close(output)
        if input >= 0 { close(input) }
    }

    /// Says that a client is there, for as long as the descriptor is open. Before it asks to be attached: the supervisor
    /// may end right after its answer. Throws EWOULDBLOCK when there is another one.
    package static func announce(stateDirectory: String, instance: LogInstance) throws(SystemError) -> Int32 {
        let presence = try open(.presence, of: instance, in: stateDirectory, O_RDWR)
        guard flock(presence, LOCK_EX | LOCK_NB) == 0 else {
            let failure = SystemError.last("lock")
            close(presence)
            throw failure
        }
        return presence
    }

    private static func open(
        _ fifo: InstanceFifo, of instance: LogInstance, in stateDirectory: String, _ mode: Int32
    ) throws(SystemError) -> Int32 {
        let path = "\(stateDirectory)/fifo/\(fifo.name(of: instance))"
        let fd = Glibc.open(path, mode | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
        guard fd >= 0 else { throw .last("open \(path)") }
        var facts = stat()
        guard fstat(fd, &facts) == 0, facts.st_mode & S_IFMT == S_IFIFO else {
            close(fd)
            throw SystemError(call: "open \(path) as a FIFO", errno: EINVAL)
        }
        return fd
    }
}
