import CRawBaselines
import Glibc

/// A hundred sidecars, each started when the one before is ready: from the command to the last one's readiness.
struct Chain {
    let bench: Workbench
    let readiness: BenchManifest.Readiness

    private static let length = 100

    func run() throws(BenchFailure) {
        var ours: [Double] = []
        var raw: [Double] = []
        for repetition in 1...bench.repetitions {
            raw.append(try bare())
            let manifest = BenchManifest.chain(Self.length, by: readiness, bench: bench)
            let project = try bench.project("chain-\(readiness.rawValue)-\(repetition)", manifest: manifest)
            bench.channel.drain()
            let begun = monotonicNanoseconds()
            _ = try project.up()
            let records = try bench.channel.await(Self.length, event: STAMP_READY)
            ours.append(milliseconds(records.last - begun))
            _ = try project.down()
        }
        let bar: Double = readiness == .log || readiness == .notify ? 100 : 400
        bench.report(
            Figure(
                "chain of \(Self.length) by \(readiness.rawValue)", unit: "ms", samples: ours, raw: raw,
                bar: { _ in bar }))
    }

    /// The same with a spawn and a read of the stamp for each, whatever the kind of readiness.
    private func bare() throws(BenchFailure) -> Double {
        bench.channel.drain()
        var pids = [pid_t](repeating: 0, count: Self.length)
        let begun = monotonicNanoseconds()
        let error = raw_chain(
            bench.sidecar, bench.channel.path, bench.channel.descriptor, Int32(Self.length), &pids)
        let taken = monotonicNanoseconds() - begun
        guard error == 0 else { throw BenchFailure("the raw chain broke: errno \(error)") }
        _ = raw_stop_all(pids, Int32(Self.length))
        return milliseconds(taken)
    }
}
