import CRawBaselines
import Glibc

/// Where the benchmarks run: the programs, a directory of their own, and the channel to the sidecars.
final class Workbench {
    let programs: String
    let directory: String
    let repetitions: Int
    let channel: StampChannel
    private(set) var figures: [Figure] = []

    var orchestrate: String { "\(programs)/orchestrate" }
    var sidecar: String { "\(programs)/bench-sidecar" }

    init(programs: String, repetitions: Int) throws(BenchFailure) {
        guard let absolute = realpath(programs, nil) else { throw BenchFailure("there is no directory \(programs)") }
        self.programs = String(cString: absolute)
        free(absolute)
        self.repetitions = repetitions
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/orchestrate-bench.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchFailure("cannot make a directory in \(base)") }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        channel = try StampChannel(directory: directory)
    }

    func report(_ figure: Figure) {
        figures.append(figure)
        print(figure.line)
        fflush(nil)
    }

    /// A project in a directory of its own, beside others of this run.
    func project(_ name: String, manifest: String) throws(BenchFailure) -> BenchProject {
        let path = "\(directory)/\(name)"
        mkdir(path, 0o700)
        try writeText(manifest, to: "\(path)/sidecars.yaml")
        return BenchProject(orchestrate: orchestrate, directory: path)
    }

    func remove() { removeTree(directory) }
}

/// A manifest of ours, brought up and down.
struct BenchProject {
    let orchestrate: String
    let directory: String

    private var environment: [String: String] { ["XDG_STATE_HOME": "\(directory)/state", "NO_COLOR": "1"] }

    func run(_ arguments: String..., meanwhile: () -> Void = {}) throws(BenchFailure) -> Command {
        try Command.run(
            [orchestrate] + arguments, directory: directory, environment: environment, meanwhile: meanwhile)
    }

    func up() throws(BenchFailure) -> Command { try run("up", "-d").expecting(0, of: "orchestrate up -d") }
    func down(meanwhile: () -> Void = {}) throws(BenchFailure) -> Command {
        try run("down", meanwhile: meanwhile).expecting(0, of: "orchestrate down")
    }
}

/// Removes a directory and all beneath it.
func removeTree(_ path: String) {
    for name in entries(of: path) {
        let entry = "\(path)/\(name)"
        var status = stat()
        if lstat(entry, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            removeTree(entry)
        } else {
            unlink(entry)
        }
    }
    rmdir(path)
}
