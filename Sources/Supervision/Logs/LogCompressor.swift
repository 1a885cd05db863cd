import CZlib
import Glibc

/// Gzips rotated log files, one after the other, on a thread that lives only while there are any.
///
/// The pump only names them, so no line waits for it. Whoever is killed at any instant leaves the file as it was, or
/// the whole of its compressed form, at worst both; the first one is then compressed again by the next rotation.
final class LogCompressor: Sendable {
    static let suffix = ".gz"
    /// Whatever is called so is half written, and nobody's.
    private static let unfinishedSuffix = ".gz.unfinished"
    /// Six times the speed of the best, for a tenth more of the space.
    private static let mode = "wb3"

    private let worker = OnDemandWorker<String>(name: "log compressor") { path in
        // Of this thread alone: sidecars and their lines come first.
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        try? replace(path)
    }

    /// Never waits. A file that can't be compressed stays as it is; without a thread it waits for the next rotation.
    func compress(_ path: String) { try? worker.add(path) }

    /// Removes a rotated file in whatever form it is.
    static func remove(_ path: String) {
        // In this order: who is compressing it finds it gone, and takes back what it wrote.
        for form in [path, path + unfinishedSuffix, path + suffix] { unlink(form) }
    }

    private static func replace(_ path: String) throws(SystemError) {
        let unfinished = path + unfinishedSuffix
        let source = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard source >= 0 else { throw .last("open \(path)") }
        defer { close(source) }
        // What an earlier one left. Somebody else's can't be taken away, and is not written to.
        unlink(unfinished)
        let target = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard target >= 0 else { throw .last("open \(unfinished)") }
        defer { close(target) }
        do throws(SystemError) {
            try compress(source, to: target, path)
            keepTimes(of: source, on: target)
            // The lines must be on the disk before the name says so, and the name before the original goes.
            guard fsync(target) == 0 else { throw .last("fsync \(unfinished)") }
            guard rename(unfinished, path + suffix) == 0 else { throw .last("rename \(unfinished)") }
        } catch {
            unlink(unfinished)
            throw error
        }
        synchronizeDirectory(of: path)
        // Too old by now: what was to go in one form does not stay in another.
        if unlink(path) != 0, errno == ENOENT { unlink(path + suffix) }
    }

    private static func compress(_ source: Int32, to target: Int32, _ path: String) throws(SystemError) {
        // Zlib closes its own; ours is still needed.
        let copy = fcntl(target, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0, let output = gzdopen(copy, mode) else {
            let failure = SystemError(call: "compress \(path)", errno: copy < 0 ? errno : ENOMEM)
            if copy >= 0 { close(copy) }
            throw failure
        }
        var failure: SystemError?
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
            while failure == nil {
                let count = read(source, buffer.baseAddress, buffer.count)
                if count == 0 { return }
                if count < 0, errno == EINTR { continue }
                if count < 0 || gzwrite(output, buffer.baseAddress, UInt32(count)) == 0 {
                    failure = .last("compress \(path)")
                }
            }
        }
        let result = gzclose(output)
        if let failure { throw failure }
        guard result == Z_OK else { throw .last("compress \(path)") }
    }

    /// For people who look at the directory: when the last line was written, not when it was compressed.
    private static func keepTimes(of source: Int32, on target: Int32) {
        var facts = stat()
        guard fstat(source, &facts) == 0 else { return }
        futimens(target, [facts.st_atim, facts.st_mtim])
    }

    private static func synchronizeDirectory(of path: String) {
        guard let slash = path.lastIndex(of: "/") else { return }
        let directory = open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return }
        fsync(directory)
        close(directory)
    }
}
