import CRawBaselines
import Glibc

/// `count` sidecars of one process each: bringing them up, what they cost at rest, a crash, a question, the end.
struct Population {
    let bench: Workbench
    let count: Int

    private static let restSeconds = 10

    func run() throws(BenchFailure) {
        var rawStart: [Double] = []
        var rawLastEnd: [Double] = []
        var rawStop: [Double] = []
        var start: [Double] = []
        var upReturns: [Double] = []
        var lastEnd: [Double] = []
        var downReturns: [Double] = []
        for repetition in 1...bench.repetitions {
            try raw(start: &rawStart, stop: &rawStop)
            rawLastEnd.append(try rawEnds())
            let manifest = BenchManifest.population(count, bench: bench)
            let project = try bench.project("population-\(count)-\(repetition)", manifest: manifest)
            bench.channel.drain()
            let begun = monotonicNanoseconds()
            let up = try project.up()
            let records = try bench.channel.await(count, event: STAMP_STARTED)
            start.append(milliseconds(records.last - begun))
            upReturns.append(milliseconds(up.nanoseconds))
            var pids = records.map(\.pid)
            if repetition == bench.repetitions {
                try rest(records)
                try crashes(&pids)
                try question(project)
            }
            var ended: UInt64?
            let down = try project.down { ended = bench.channel.awaitLastEnd() }
            guard let ended else { throw BenchFailure("some sidecar still lives a minute after down was asked for") }
            lastEnd.append(milliseconds(ended - down.begun))
            downReturns.append(milliseconds(down.nanoseconds))
            try expectNone(of: pids)
        }
        let stopBudget: ((Double) -> Double)? = count >= 1000 ? { 2 * $0 } : nil
        let budget: ((Double) -> Double)? = count >= 100 ? { 1.3 * $0 + 30 } : nil
        bench.report(
            Figure("up of \(count), last first instruction", unit: "ms", samples: start, raw: rawStart, bar: budget))
        bench.report(Figure("up of \(count), command returns", unit: "ms", samples: upReturns, raw: rawStart))
        bench.report(
            Figure(
                "stop of \(count), last end", unit: "ms", samples: lastEnd, raw: rawLastEnd,
                bar: stopBudget))
        bench.report(
            Figure("down of \(count), command returns", unit: "ms", samples: downReturns, raw: rawStop, bar: stopBudget)
        )
    }

    private func raw(start: inout [Double], stop: inout [Double]) throws(BenchFailure) {
        let bare = try spawnBare()
        start.append(milliseconds(bare.lastStart))
        stop.append(milliseconds(raw_stop_all(bare.pids, Int32(count))))
    }

    /// From the first signal to the last one's end, without the waiting for each.
    private func rawEnds() throws(BenchFailure) -> Double {
        let bare = try spawnBare()
        let begun = monotonicNanoseconds()
        raw_signal_all(bare.pids, Int32(count))
        let ended = bench.channel.awaitLastEnd()
        raw_wait_all(bare.pids, Int32(count))
        guard let ended else { throw BenchFailure("some bare sidecar lives a minute after its SIGTERM") }
        return milliseconds(ended - begun)
    }

    /// - Returns: nanoseconds until the last one's first instruction.
    private func spawnBare() throws(BenchFailure) -> (pids: [pid_t], lastStart: UInt64) {
        bench.channel.drain()
        var pids = [pid_t](repeating: 0, count: count)
        let begun = monotonicNanoseconds()
        let error = raw_spawn_all(bench.sidecar, bench.channel.path, "hold", Int32(count), &pids)
        guard error == 0 else { throw BenchFailure("cannot spawn \(bench.sidecar): errno \(error)") }
        return (pids, try bench.channel.await(count, event: STAMP_STARTED).last - begun)
    }

    /// Memory, processor time and wake-ups while nothing is due.
    private func rest(_ records: [stamp_record]) throws(BenchFailure) {
        guard let keeper = records.map(\.parent).first else { return }
        let ours = ProcessTable.supervision(parentOfSidecars: keeper)
        letPass(seconds: 5)
        let cpu = ProcessTable.cpu(ours)
        let wakeups = ProcessTable.wakeups(ours)
        letPass(seconds: Self.restSeconds)
        let spent = (ProcessTable.cpu(ours) - cpu) / 1e6
        let woken = ProcessTable.wakeups(ours) - wakeups
        let bar = 10.0 * 1024 + 5 * Double(max(0, count - 10))
        let memory = ProcessTable.pss(ours)
        bench.report(Figure("memory with \(count), PSS", unit: "KiB", samples: [memory], bar: { _ in bar }))
        bench.report(
            Figure("CPU in \(Self.restSeconds) s of rest with \(count)", unit: "ms", samples: [spent], bar: { _ in 0 }))
        bench.report(
            Figure(
                "wake-ups in \(Self.restSeconds) s of rest with \(count)", unit: "", samples: [woken], bar: { _ in 0 }))
    }

    /// From `kill -9` to the first instruction of the successor.
    private func crashes(_ pids: inout [pid_t]) throws(BenchFailure) {
        var ours: [Double] = []
        var raw: [Double] = []
        var bare: [pid_t] = [0]
        bench.channel.drain()
        raw_spawn_all(bench.sidecar, bench.channel.path, "hold", 1, &bare)
        _ = try bench.channel.await(1, event: STAMP_STARTED)
        for round in 0..<50 {
            let killed = raw_replace(bench.sidecar, bench.channel.path, bare[0], &bare[0])
            raw.append(milliseconds(try bench.channel.await(1, event: STAMP_STARTED).last - killed))

            let victim = (round * 7919) % pids.count
            let begun = monotonicNanoseconds()
            kill(pids[victim], SIGKILL)
            let successor = try bench.channel.await(1, event: STAMP_STARTED)
            ours.append(milliseconds(successor.last - begun))
            pids[victim] = successor[0].pid
        }
        _ = raw_stop_all(bare, 1)
        bench.report(
            Figure(
                "kill -9 to successor, of \(count)", unit: "ms", samples: ours, raw: raw,
                bar: { count >= 1000 ? 5 : 2.5 * $0 }))
        bench.report(
            Figure(
                "kill -9 to successor, of \(count), p99", unit: "ms", samples: [percentile(ours, 99)],
                raw: [percentile(raw, 99)]))
    }

    private func question(_ project: BenchProject) throws(BenchFailure) {
        var times: [Double] = []
        for _ in 0..<(bench.repetitions * 2) {
            times.append(milliseconds(try project.run("status").expecting(0, of: "orchestrate status").nanoseconds))
        }
        bench.report(Figure("status of \(count), command", unit: "ms", samples: times))
    }

    private func expectNone(of pids: [pid_t]) throws(BenchFailure) {
        let left = pids.filter(ProcessTable.isAlive)
        guard left.isEmpty else { throw BenchFailure("still alive after down: \(left)") }
    }
}

func milliseconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1e6 }
