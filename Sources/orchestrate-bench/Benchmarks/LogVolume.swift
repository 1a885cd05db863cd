import CRawBaselines
import Glibc

/// 200 MB of lines, from the first instruction of the first writer until all of it is in files.
struct LogVolume {
    let bench: Workbench
    let writers: Int

    private static let bytes = 200_000_000

    func run() throws(BenchFailure) {
        var ours: [Double] = []
        var raw: [Double] = []
        var peaks: [Double] = []
        for repetition in 1...bench.repetitions {
            raw.append(try bare())
            ours.append(try supervised(repetition, peaks: &peaks))
        }
        bench.report(
            Figure(
                "200 MB of lines from \(writers)", unit: "ms", samples: ours, raw: raw, bar: { 2 * $0 }))
        bench.report(Figure("200 MB of lines from \(writers), most resident", unit: "KiB", samples: peaks))
    }

    private func bare() throws(BenchFailure) -> Double {
        let directory = "\(bench.directory)/cat"
        mkdir(directory, 0o700)
        defer { removeTree(directory) }
        bench.channel.drain()
        let end = raw_cat_logs(
            bench.sidecar, bench.channel.path, directory, Int32(writers), UInt64(Self.bytes / writers))
        let start = try bench.channel.await(writers, event: STAMP_STARTED).first
        guard end > 0 else { throw BenchFailure("cannot run cat") }
        return milliseconds(end - start)
    }

    /// `up` returns when the tasks are done and their logs are on disk; the lines are counted after that.
    private func supervised(_ repetition: Int, peaks: inout [Double]) throws(BenchFailure) -> Double {
        let manifest = BenchManifest.writers(writers, bytesEach: Self.bytes / writers, bench: bench)
        let project = try bench.project("lines-\(writers)-\(repetition)", manifest: manifest)
        defer { removeTree(project.directory) }
        bench.channel.drain()
        _ = try project.up()
        let end = monotonicNanoseconds()
        let records = try bench.channel.await(writers, event: STAMP_STARTED)
        if let keeper = records.map(\.parent).first {
            peaks.append(ProcessTable.peakResident(ProcessTable.supervision(parentOfSidecars: keeper)))
        }
        let expected = Self.bytes / Int(STAMP_LINE_BYTES)
        let written = lines(beneath: "\(project.directory)/state")
        _ = try project.down()
        guard written >= expected else { throw BenchFailure("\(written) of \(expected) lines are in the logs") }
        return milliseconds(end - records.first)
    }

    /// Lines that carry the writers' filling, in every file beneath a directory.
    private func lines(beneath path: String) -> Int {
        var count = 0
        for name in entries(of: path) {
            let entry = "\(path)/\(name)"
            var status = stat()
            guard lstat(entry, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                count += lines(beneath: entry)
            } else if status.st_mode & S_IFMT == S_IFREG {
                count += fillings(in: entry)
            }
        }
        return count
    }

    private func fillings(in path: String) -> Int {
        guard let file = fopen(path, "r") else { return 0 }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        var count = 0
        while case let length = getline(&line, &capacity, file), length > 0 {
            guard let line, length > 4 else { continue }
            if memcmp(line + length - 4, "xxx", 3) == 0 { count += 1 }
        }
        return count
    }
}
