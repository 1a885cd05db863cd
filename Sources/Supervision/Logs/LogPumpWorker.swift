import CProcess
import Glibc
import SidecarModel

/// A thread of the pump: a loop over the FIFOs of its instances.
final class LogPumpWorker: LogPumping {
    /// After this much one instance gives way to the others.
    private static let share = 1 << 20
    private static let retryDelay = Duration.milliseconds(100)
    /// In microseconds. While many sidecars end, each of which would wake us, and have us take the processor from those
    /// that are about to end.
    private static let burstPause: UInt32 = 4000

    let buffers: LogBuffers
    let fifos: LogFifos
    let commands: Mailbox<LogPump.Command>
    let openings = PendingOpenings()
    private let loop: EventLoop
    private let compressor: LogCompressor
    private let events: @Sendable (LogEvent) -> Void
    private var channels: [LogInstance: LogChannel] = [:]
    /// Those with an unfinished line.
    private var unfinished: Set<LogInstance> = []
    /// Those whose standard output is somebody else's to read.
    private var held: Set<LogInstance> = []
    private var signals: Int32 = -1
    private var ends = PipeEnds()
    /// Within a command nothing interrupts: it is what would have interrupted.
    private var isObeying = false

    init(
        fifos: LogFifos, compressor: LogCompressor, events: @escaping @Sendable (LogEvent) -> Void
    ) throws(SystemError) {
        self.fifos = fifos
        self.compressor = compressor
        self.events = events
        buffers = try LogBuffers()
        loop = try EventLoop()
        let hook = Hook()
        commands = loop.mailbox(of: LogPump.Command.self) { command in hook.worker?.obey(command) }
        hook.worker = self
    }

    /// Lets the mailbox be made before there is a worker to read it.
    private final class Hook {
        unowned var worker: LogPumpWorker?
    }

    deinit { if signals >= 0 { Glibc.close(signals) } }

    func run() {
        listenToSignals()
        loop.onTurnEnd { [unowned self] in if ends.isBurst(at: loop.now) { Glibc.usleep(Self.burstPause) } }
        // The loop's own calls fail only for want of kernel memory; waiting for better times is all there is to do.
        while (try? loop.run()) == nil {}
    }

    /// On this thread, whose signals are the FIFOs' alone.
    private func listenToSignals() {
        signals = loop_signalfd_create(1 << UInt64(SIGIO - 1))
        guard signals >= 0 else { return }
        _ = try? loop.watch(signals, .read) { [unowned self] _ in
            var sender: Int32 = 0
            while loop_signalfd_read(signals, &sender) > 0 {}
            for instance in unfinished {
                guard let channel = channels[instance] else { continue }
                for index in channel.streams.indices { service(channel, index) }
            }
        }
    }

    func isInterrupted(_ instance: LogInstance) -> Bool {
        !isObeying && !commands.isEmpty || openings.contains(instance)
    }

    func report(_ event: LogEvent) { events(event) }

    // MARK: Commands

    private func obey(_ command: LogPump.Command) {
        isObeying = true
        defer { isObeying = false }
        switch command {
        case .open(let opening): open(opening)
        case .note(let instance, let text, let time, let startsLog):
            guard let channel = channels[instance] else { return }
            moveAll(channel)
            guard startsLog || channel.file.isThere else { return channel.dropNotes() }
            channel.note(text, at: time)
            channel.flushNotes(by: self)
        case .withdrawStart(let instance, let incarnation, let reason, let time):
            guard let channel = channels[instance] else { return }
            moveAll(channel)
            channel.withdrawStart(incarnation, because: reason, at: time, by: self)
        case .configure(let instance, let spec, let directory):
            guard let channel = channels[instance] else { return }
            // What it has written by now was written by the old declaration.
            moveAll(channel)
            channel.spec = spec
            channel.goOn(in: directory)
            expire(channel)
        case .unwatch(let instance, let token): channels[instance]?.patterns.removeAll { $0.token == token }
        case .drain(let instance, let token):
            if let channel = channels[instance] {
                moveAll(channel)
                channel.flushNotes(by: self)
            }
            report(.drained(token: token))
        case .hold(let instance, let token):
            if let channel = channels[instance], !held.contains(instance) { letGo(of: channel) }
            held.insert(instance)
            report(.held(token: token))
        case .resume(let instance):
            guard held.remove(instance) != nil, let channel = channels[instance] else { return }
            takeBack(channel)
        case .retire(let instance):
            held.remove(instance)
            if let channel = channels.removeValue(forKey: instance) { close(channel, flushing: .full) }
            fifos.forget(instance)
            fifos.remove(instance)
        case .stop:
            for channel in channels.values { close(channel, flushing: .nothing) }
            channels = [:]
            loop.stop()
        }
    }

    private func open(_ opening: LogPump.Opening) {
        let channel = prepare(opening)
        if case .starts(_, moved: nil) = opening.reason { openings.remove(opening.instance) }
        guard let channel else { return }
        // A line is waited for: its file is made while the process starts, not between the line and who waits. And what a
        // supervisor before this one owes the log may be written now.
        if !channel.patterns.isEmpty || channel.hasDrops { channel.flushNotes(by: self) }
        for index in channel.streams.indices { service(channel, index) }
    }

    /// Nil: it cannot be read, or nothing begins.
    private func prepare(_ opening: LogPump.Opening) -> LogChannel? {
        let channel: LogChannel
        if let known = channels[opening.instance],
            known.streams.map(\.output.readEnd) == opening.outputs.map(\.readEnd)
        {
            channel = known
        } else {
            if let known = channels.removeValue(forKey: opening.instance) { unwatch(known) }
            channel = LogChannel(
                instance: opening.instance, directory: opening.directory, spec: opening.spec, compressor: compressor,
                fifos: fifos)
            channels[opening.instance] = channel
            guard watch(channel, opening.outputs) else {
                if case .starts(_, let moved?) = opening.reason { moved.post() }
                return nil
            }
        }
        do throws(SystemError) {
            switch opening.reason {
            case .joins(let incarnation):
                if let incarnation { channel.join(incarnation) }
                beginToExpire(channel)
                return nil
            case .began(let incarnation, let isRunning):
                channel.spec = opening.spec
                channel.use(opening.directory)
                channel.patterns = opening.patterns
                try channel.takeUp(incarnation, isRunning: isRunning, by: self)
            case .starts(let incarnation, let moved):
                if let moved {
                    // An unfinished line ends with the life that wrote it.
                    moveAll(channel, flushing: .full)
                    moved.post()
                }
                // They are of the life before.
                if channel.hasDrops { channel.flushNotes(by: self) }
                channel.spec = opening.spec
                channel.use(opening.directory)
                channel.begin(incarnation)
                channel.patterns = opening.patterns
            }
        } catch {
            report(.failed(channel.instance, error))
        }
        beginToExpire(channel)
        return channel
    }

    /// Unless it has, or age is no matter.
    private func beginToExpire(_ channel: LogChannel) {
        if channel.spec.maxAge != nil, channel.expiry == nil { expire(channel) }
    }

    /// Also of one that says nothing any more. Asleep until the oldest of its files is too old: what is written meanwhile is
    /// younger.
    private func expire(_ channel: LogChannel) {
        // What was moved before may have made an end of it.
        guard channels[channel.instance] === channel else { return }
        if let expiry = channel.expiry { loop.cancel(expiry) }
        channel.expiry = nil
        let now = WallTime.now
        let next = channel.file.expire(at: now)
        channel.file.makeRoomForOthers()
        guard let next else { return }
        let rest = Duration.microseconds(max(0, next.microseconds - now.microseconds))
        channel.expiry = loop.schedule(at: loop.now + max(rest, Self.retryDelay)) { [unowned self, unowned channel] in
            expire(channel)
        }
    }

    private func watch(_ channel: LogChannel, _ outputs: [LogFifos.Output]) -> Bool {
        for (index, output) in outputs.enumerated() {
            var stream = LogChannel.Stream(output: output, watch: nil, size: Int(fifos.size(of: output)))
            do throws(SystemError) {
                // Told once per change: an unfinished line stays in the FIFO, and an end nobody holds stays ended.
                let isHeld = output.stream == .stdout && held.contains(channel.instance)
                stream.watch = try loop.watch(output.readEnd, isHeld ? .edgeTriggered : [.read, .edgeTriggered]) {
                    [unowned self, unowned channel] readiness in
                    if readiness == .hangup { ends.count += 1 } else { ends.hasOthers = true }
                    service(channel, index, flushing: readiness.contains(.hangup) ? .full : .nothing)
                }
            } catch {
                report(.failed(channel.instance, error))
                return false
            }
            channel.streams.append(stream)
        }
        return true
    }

    private func unwatch(_ channel: LogChannel) {
        for stream in channel.streams { if let watch = stream.watch { loop.unwatch(watch) } }
        channel.endRefusals(by: self)
        for timer in [channel.retry, channel.expiry].compactMap(\.self) { loop.cancel(timer) }
        channel.expiry = nil
        channel.streams = []
        unfinished.remove(channel.instance)
    }

    private func close(_ channel: LogChannel, flushing: LogFormatter.Flush) {
        moveAll(channel, flushing: flushing)
        channel.flushNotes(by: self)
        unwatch(channel)
    }

    // MARK: Outputs that others read

    private func letGo(of channel: LogChannel) {
        moveAll(channel)
        channel.flushNotes(by: self)
        for index in channel.streams.indices where channel.streams[index].output.stream == .stdout {
            channel.letGo(index)
            // A writer would wake us for what is not ours to read.
            if let watch = channel.streams[index].watch { try? loop.modify(watch, .edgeTriggered) }
        }
        noteUnfinished(channel)
    }

    private func takeBack(_ channel: LogChannel) {
        for index in channel.streams.indices where channel.streams[index].output.stream == .stdout {
            if let watch = channel.streams[index].watch { try? loop.modify(watch, [.read, .edgeTriggered]) }
        }
        // The last writer may have left meanwhile.
        channel.hasLostItsWriter = true
        serviceAll(channel)
    }

    private func isHeld(_ channel: LogChannel, _ index: Int) -> Bool {
        channel.streams[index].output.stream == .stdout && held.contains(channel.instance)
    }

    // MARK: Moving lines

    private func service(_ channel: LogChannel, _ index: Int, flushing: LogFormatter.Flush = .nothing) {
        guard channel.streams.indices.contains(index), !isHeld(channel, index) else { return }
        do throws(SystemError) {
            switch try channel.service(index, flushing: flushing, limit: Self.share, by: self) {
            case .idle: break
            case .ended: break
            case .more: again(channel, flushing)
            case .interrupted:
                // By what may have been sent without waking anybody.
                commands.ring()
                again(channel, flushing)
            case .blocked: retry(channel, flushing)
            }
            noteUnfinished(channel)
        } catch {
            fail(channel, error)
        }
    }

    private func noteUnfinished(_ channel: LogChannel) {
        if channel.hasUnfinishedLine {
            unfinished.insert(channel.instance)
        } else {
            unfinished.remove(channel.instance)
        }
    }

    private func again(_ channel: LogChannel, _ flushing: LogFormatter.Flush) {
        if flushing == .full { channel.hasLostItsWriter = true }
        ends.hasOthers = true
        guard !channel.isQueued else { return }
        channel.isQueued = true
        loop.soon { [unowned self] in
            channel.isQueued = false
            serviceAll(channel)
        }
    }

    private func retry(_ channel: LogChannel, _ flushing: LogFormatter.Flush) {
        if flushing == .full { channel.hasLostItsWriter = true }
        guard channel.retry == nil else { return }
        channel.retry = loop.schedule(at: loop.now + Self.retryDelay) { [unowned self, unowned channel] in
            channel.retry = nil
            serviceAll(channel)
        }
    }

    /// The hang-up was told once, before all was moved: whether it still holds is asked again.
    private func serviceAll(_ channel: LogChannel) {
        let mayBeEnded = channel.hasLostItsWriter
        channel.hasLostItsWriter = false
        for index in channel.streams.indices {
            let isEnded = mayBeEnded && fifos.isEnded(channel.streams[index].output)
            service(channel, index, flushing: isEnded ? .full : .nothing)
        }
    }

    /// Moves what is in the FIFOs now; not what a fast writer adds meanwhile.
    private func moveAll(_ channel: LogChannel, flushing: LogFormatter.Flush = .nothing) {
        do throws(SystemError) {
            for index in channel.streams.indices {
                // Most often nothing waits, and one question tells.
                guard !isHeld(channel, index), loop_bytes_readable(channel.streams[index].output.readEnd) != 0 else {
                    continue
                }
                let ends = flushing == .nothing && fifos.isEnded(channel.streams[index].output) ? .full : flushing
                let size = channel.streams[index].size
                _ = try channel.service(index, flushing: ends, limit: size, by: self)
            }
            noteUnfinished(channel)
        } catch {
            fail(channel, error)
        }
    }

    private func fail(_ channel: LogChannel, _ error: SystemError) {
        report(.failed(channel.instance, error))
        unwatch(channel)
        channels.removeValue(forKey: channel.instance)
    }
}
