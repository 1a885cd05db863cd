import CRawBaselines
import Glibc

/// `validate` and `plan` of 10 000 sidecars, beside libyaml's bare parse of the same file; and the start of the program.
struct Reading {
    let bench: Workbench

    private static let count = 10_000

    func run() throws(BenchFailure) {
        let project = try bench.project("large", manifest: BenchManifest.large(Self.count))
        var raw: [Double] = []
        var validate: [Double] = []
        var plan: [Double] = []
        for _ in 0..<bench.repetitions {
            let parse = raw_yaml_parse("\(project.directory)/sidecars.yaml")
            guard parse > 0 else { throw BenchFailure("libyaml does not read our own manifest") }
            raw.append(milliseconds(parse))
            let valid = try project.run("validate").expecting(0, of: "orchestrate validate")
            validate.append(milliseconds(valid.nanoseconds))
            let planned = try project.run("plan").expecting(0, 2, of: "orchestrate plan")
            plan.append(milliseconds(planned.nanoseconds))
        }
        bench.report(
            Figure("validate of \(Self.count)", unit: "ms", samples: validate, raw: raw, bar: { 3 * $0 }))
        bench.report(Figure("plan of \(Self.count)", unit: "ms", samples: plan, raw: raw))
    }

    func start() throws(BenchFailure) {
        let project = try bench.project("start", manifest: BenchManifest.population(1, bench: bench))
        var ours: [Double] = []
        var raw: [Double] = []
        for _ in 0..<(bench.repetitions * 4) {
            let bare = try Command.run([bench.sidecar, "-", "0", "exit"], directory: project.directory)
            raw.append(milliseconds(bare.nanoseconds))
            ours.append(milliseconds(try project.run("version").expecting(0, of: "orchestrate version").nanoseconds))
        }
        bench.report(Figure("start of the program (version)", unit: "ms", samples: ours, raw: raw, bar: { _ in 8 }))
    }
}
