/// The lines of an instance that a file refused, until the log itself says how many they were.
///
/// Their number is the size of a file beside the FIFOs, which holds nothing: a supervisor that is killed leaves it for the
/// next, and it takes no room on a disk that has none.
struct UnnotedDrops {
    private(set) var lines: Int
    private let instance: LogInstance
    private let fifos: LogFifos

    /// With what a supervisor before this one left.
    init(of instance: LogInstance, in fifos: LogFifos) {
        self.instance = instance
        self.fifos = fifos
        lines = fifos.rememberedDrops(of: instance)
    }

    /// Before they are taken out of the FIFO: killed in between, we count what is still there, and not too little.
    mutating func add(_ count: Int) {
        lines += count
        fifos.rememberDrops(lines, of: instance)
    }

    mutating func noted() {
        lines = 0
        fifos.rememberDrops(0, of: instance)
    }
}
