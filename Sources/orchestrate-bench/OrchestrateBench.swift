import FoundationEssentials
import Glibc

/// usage: orchestrate-bench PROGRAMS [--only NAME,…] [--repeat N] [--json FILE]
@main
struct OrchestrateBench {
    static func main() {
        do throws(BenchFailure) {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            let bench = try Workbench(programs: options.programs, repetitions: options.repetitions)
            defer { bench.remove() }
            print(Figure.header)
            var failed = false
            for (name, benchmark) in benchmarks(bench) where options.selects(name) {
                do throws(BenchFailure) {
                    try benchmark()
                } catch {
                    failed = true
                    print("\(name): \(error)")
                }
            }
            if let file = options.json { try writeText(json(bench.figures) + "\n", to: file) }
            if failed { exit(1) }
        } catch {
            let message = "orchestrate-bench: \(error)\n"
            _ = write(STDERR_FILENO, message, message.utf8.count)
            exit(1)
        }
    }

    private typealias Benchmark = () throws(BenchFailure) -> Void

    private static func benchmarks(_ bench: Workbench) -> [(String, Benchmark)] {
        var all: [(String, Benchmark)] = [("start", { () throws(BenchFailure) in try Reading(bench: bench).start() })]
        for count in [10, 100, 1000] {
            all.append(
                ("population-\(count)", { () throws(BenchFailure) in try Population(bench: bench, count: count).run() })
            )
        }
        for readiness in BenchManifest.Readiness.allCases {
            all.append(
                (
                    "chain-\(readiness.rawValue)",
                    { () throws(BenchFailure) in try Chain(bench: bench, readiness: readiness).run() }
                ))
        }
        for writers in [1, 10] {
            all.append(
                ("lines-\(writers)", { () throws(BenchFailure) in try LogVolume(bench: bench, writers: writers).run() })
            )
        }
        for count in [100, 1000] {
            all.append(
                ("checks-\(count)", { () throws(BenchFailure) in try Checks(bench: bench, count: count).run() }))
        }
        all.append(("reading", { () throws(BenchFailure) in try Reading(bench: bench).run() }))
        return all
    }

    private static func json(_ figures: [Figure]) throws(BenchFailure) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do {
            return String(decoding: try encoder.encode(figures), as: UTF8.self)
        } catch {
            throw BenchFailure("cannot encode the figures: \(error)")
        }
    }
}

private struct Options {
    var programs = ""
    var repetitions = 5
    var json: String?
    /// Names of benchmarks, or what stands before their dash. Empty: all.
    var only: [Substring] = []

    func selects(_ name: String) -> Bool { only.isEmpty || only.contains { name == $0 || name.hasPrefix($0 + "-") } }

    init(_ arguments: [String]) throws(BenchFailure) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--only": only = try Self.value(&rest, of: argument).split(separator: ",")
            case "--repeat": repetitions = max(1, Int(try Self.value(&rest, of: argument)) ?? 5)
            case "--json": json = try Self.value(&rest, of: argument)
            default: programs = argument
            }
        }
        guard !programs.isEmpty else {
            throw BenchFailure("usage: orchestrate-bench PROGRAMS [--only NAME,…] [--repeat N] [--json FILE]")
        }
    }

    private static func value(_ rest: inout ArraySlice<String>, of option: String) throws(BenchFailure) -> String {
        guard let value = rest.popFirst() else { throw BenchFailure("\(option) needs a value") }
        return value
    }
}
