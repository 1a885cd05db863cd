import CRawBaselines
import Glibc

/// One HTTP check a second of each of `count` sidecars: what the supervisor spends on it, in percent of a core.
struct Checks {
    let bench: Workbench
    let count: Int

    private static let seconds = 10

    func run() throws(BenchFailure) {
        let manifest = BenchManifest.checked(count, bench: bench)
        let project = try bench.project("checks-\(count)", manifest: manifest)
        bench.channel.drain()
        _ = try project.up()
        let records = try bench.channel.await(count, event: STAMP_STARTED)
        guard let keeper = records.map(\.parent).first else { return }
        let supervision = ProcessTable.supervision(parentOfSidecars: keeper)
        letPass(seconds: 3)
        var ours: [Double] = []
        for _ in 0..<bench.repetitions {
            let before = ProcessTable.cpu(supervision)
            let begun = monotonicNanoseconds()
            letPass(seconds: Self.seconds)
            ours.append((ProcessTable.cpu(supervision) - before) / Double(monotonicNanoseconds() - begun) * 100)
        }
        let raw = try (0..<bench.repetitions).map { _ throws(BenchFailure) in try bare() }
        _ = try project.down()
        bench.report(
            Figure(
                "\(count) HTTP checks a second, of a core", unit: "%", samples: ours, raw: raw,
                bar: count == 100 ? { _ in 2.5 } : nil))
    }

    /// The processor time of as many requests by blocking calls to one server, as a share of a second.
    private func bare() throws(BenchFailure) -> Double {
        let port: Int32 = 18_080
        var pid: pid_t = 0
        let words = [bench.sidecar, bench.channel.path, "0", "http", "\(port)"]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        bench.channel.drain()
        guard posix_spawn(&pid, bench.sidecar, nil, nil, &arguments, environ) == 0 else {
            throw BenchFailure("cannot spawn \(bench.sidecar)")
        }
        defer { _ = raw_stop_all([pid], 1) }
        _ = try bench.channel.await(1, event: STAMP_READY)
        let before = ownCPU()
        var good: Int32 = 0
        for _ in 0..<count { good += raw_http_checks(port, 1) }
        guard good == Int32(count) else { throw BenchFailure("\(good) of \(count) raw checks were answered") }
        return (ownCPU() - before) / 1e9 * 100
    }

    private func ownCPU() -> Double { ProcessTable.cpu([getpid()]) }
}
