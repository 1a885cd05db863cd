/// Why a benchmark has no figure: a sentence for whoever runs it.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
