import CProcess
import Glibc

/// What all channels of one of the pump's threads share, as it handles one at a time: the buffers, and the pipe it peeks through.
final class LogBuffers {
    /// Peeking by the pipe's length would only cost cache.
    static let inputSize = 256 << 10
    /// Room for one line of any content in any format.
    static let outputSize = 512 << 10

    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: inputSize, alignment: 4096)
    let output = UnsafeMutableRawBufferPointer.allocate(byteCount: outputSize, alignment: 4096)
    private var ends: [Int32] = [-1, -1]
    private let null: Int32

    init() throws(SystemError) {
        null = open("/dev/null", O_WRONLY | O_CLOEXEC)
        guard null >= 0 else {
            let failure = SystemError.last("open /dev/null")
            input.deallocate()
            output.deallocate()
            throw failure
        }
        try makePipe()
    }

    deinit {
        input.deallocate()
        output.deallocate()
        for fd in ends + [null] where fd >= 0 { close(fd) }
    }

    private func makePipe() throws(SystemError) {
        for fd in ends where fd >= 0 { close(fd) }
        ends = [-1, -1]
        guard loop_pipe(&ends) == 0 else { throw .last("pipe2") }
        // A smaller one only means shorter peeks.
        _ = loop_pipe_resize(ends[0], Int32(Self.inputSize))
    }

    enum Peek {
        case bytes(UnsafeRawBufferPointer)
        /// Nothing there, and someone may still write.
        case empty
        /// Nothing there, and nobody holds the other end.
        case ended
    }

    /// What waits in the FIFO, left there: it is taken out by `discard` only when it is on disk.
    func peek(_ fifo: Int32) throws(SystemError) -> Peek {
        let count = loop_tee(fifo, ends[1], Self.inputSize)
        if count == 0 { return .ended }
        if count < 0 {
            if errno == EAGAIN || errno == EINTR { return .empty }
            throw .last("tee")
        }
        var done = 0
        while done < count {
            let part = read(ends[0], input.baseAddress?.advanced(by: done), count - done)
            if part > 0 {
                done += part
            } else if part < 0, errno == EINTR {
                continue
            } else {
                let failure = SystemError.last("read")
                try makePipe()
                throw failure
            }
        }
        return .bytes(UnsafeRawBufferPointer(rebasing: input[..<count]))
    }

    /// Takes out what was peeked and is safe.
    func discard(_ fifo: Int32, _ count: Int) throws(SystemError) {
        var left = count
        while left > 0 {
            let done = loop_discard(fifo, null, left)
            if done > 0 {
                left -= done
            } else if done < 0, errno == EINTR {
                continue
            } else {
                throw .last("splice")
            }
        }
    }
}
