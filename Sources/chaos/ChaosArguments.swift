import ChaosKit
import Glibc

struct ChaosArguments {
    struct Wrong: Error { var message: String }

    static let usage = """
        usage: chaos [--rounds N | --full] [--seed N] [--earlier DIRECTORY] [WHAT...]
          --rounds   of each; without it, or with --full, as many as the full count has
          --seed     of the first stage; each has the next one. A stage that fails prints its own
          --earlier  programs that keep their journal in an earlier form, for 'format'
        WHAT: \(Scenarios.all(earlier: "").map(\.name).joined(separator: ", ")); none: all
        """

    private(set) var seed = UInt64.random(in: 1...999_999)
    private(set) var rounds: Int?
    private(set) var scenarios: [any Scenario] = []

    init(_ arguments: some Sequence<String>) throws(Wrong) {
        var names: [String] = []
        var earlier: String?
        var iterator = arguments.makeIterator()
        while let argument = iterator.next() {
            switch argument {
            case "--full": rounds = nil
            case "--rounds": rounds = try Self.value(of: argument, iterator.next(), Int.init)
            case "--seed": seed = try Self.value(of: argument, iterator.next(), UInt64.init)
            case "--earlier": earlier = try Self.value(of: argument, iterator.next()) { Self.directory($0) }
            case _ where argument.hasPrefix("-"): throw Wrong(message: "unknown option '\(argument)'")
            case _: names.append(argument)
            }
        }
        let all = Scenarios.all(earlier: earlier)
        if let unknown = names.first(where: { name in !all.contains { $0.name == name } }) {
            throw Wrong(message: "nothing is called '\(unknown)'\(unknown == "format" ? " without --earlier" : "")")
        }
        scenarios = names.isEmpty ? all : all.filter { names.contains($0.name) }
    }

    private static func value<Value>(
        of option: String, _ text: String?, _ read: (String) -> Value?
    ) throws(Wrong) -> Value {
        guard let value = text.flatMap(read) else { throw Wrong(message: "'\(option)' needs a value") }
        return value
    }

    private static func directory(_ path: String) -> String? {
        guard let full = realpath(path, nil) else { return nil }
        defer { free(full) }
        return String(cString: full)
    }
}
