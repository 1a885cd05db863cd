import Glibc
import SidecarModel
import Supervision
import Testing

/// What is written into the files of a cgroup; here they are files of any directory.
@Suite struct ResourceTests {
    private func written(_ resources: ResourceSpec, files: [String]) throws -> (
        values: [String: String], failure: String?
    ) {
        let directory = try SupervisedProject.makeDirectory()
        defer {
            for name in files { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }
        for name in files { close(open("\(directory)/\(name)", O_WRONLY | O_CREAT, 0o600)) }
        let failure = ResourceSupport.write(resources, to: directory)
        var values: [String: String] = [:]
        for name in files { values[name] = ProcFile.text("\(directory)/\(name)") }
        return (values, failure)
    }

    private static let all = ["memory.max", "cpu.max", "pids.max"]

    @Test func `limits are written in the kernel's units, and the rest is taken back`() throws {
        let (values, failure) = try written(
            ResourceSpec(memory: ByteCount(bytes: 64 << 20), cpu: 1.5), files: Self.all)
        #expect(values == ["memory.max": "67108864", "cpu.max": "150000 100000", "pids.max": "max"])
        #expect(failure == nil)
    }

    @Test func `a limit without its controller is said, and one that is not wanted is nothing`() throws {
        let (values, failure) = try written(ResourceSpec(cpu: 0.001, processes: 9), files: ["cpu.max"])
        #expect(values == ["cpu.max": "1000 100000"])
        #expect(failure == "cannot set pids.max: no such file or directory")
        #expect(try written(ResourceSpec(), files: []).failure == nil)
    }
}
