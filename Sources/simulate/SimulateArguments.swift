import SimulationKit

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

func exitWith(_ code: Int32) -> Never { exit(code) }

struct SimulateArguments {
    struct Wrong: Error { var message: String }

    var seed: UInt64 = 1
    var steps = 1_000_000
    var reportEvery = Int.max
    /// Explore every sequence of this many moves first.
    var smallWorld: Int?
    var options = Simulation.Options()

    init(_ arguments: some Sequence<String>) throws(Wrong) {
        var iterator = arguments.makeIterator()
        while let option = iterator.next() {
            switch option {
            case "--seed": seed = try Self.number(iterator.next(), after: option)
            case "--steps": steps = Int(clamping: try Self.number(iterator.next(), after: option))
            case "--soak":
                steps = 50_000_000
                reportEvery = 1_000_000
            case "--coverage": options.recordsCoverage = true
            case "--small-world": smallWorld = Int(clamping: try Self.number(iterator.next(), after: option))
            case "--bug":
                let name = iterator.next() ?? ""
                guard let bug = PlantedBug.allCases.first(where: { "\($0)" == name }) else {
                    let names = PlantedBug.allCases.map { "\($0)" }.joined(separator: ", ")
                    throw Wrong(message: "there is no planted bug '\(name)'; there are: \(names)")
                }
                options.bug = bug
            case "--without":
                for name in (iterator.next() ?? "").split(separator: ",") {
                    guard let fault = Fault.allCases.first(where: { "\($0)" == name }) else {
                        let names = Fault.allCases.map { "\($0)" }.joined(separator: ", ")
                        throw Wrong(message: "there is no fault '\(name)'; there are: \(names)")
                    }
                    options.disabled.insert(fault)
                }
            default:
                throw Wrong(
                    message: "unknown option '\(option)'; known: --seed N, --steps N, --soak, --coverage, "
                        + "--small-world N, --bug NAME, --without A,B")
            }
        }
    }

    private static func number(_ text: String?, after option: String) throws(Wrong) -> UInt64 {
        guard let text, let number = UInt64(text) else {
            throw Wrong(message: "\(option) needs a number, not '\(text ?? "")'")
        }
        return number
    }
}
