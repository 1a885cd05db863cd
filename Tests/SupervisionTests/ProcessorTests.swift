import CProcess
import Glibc
import Supervision
import Synchronization
import Testing

/// Each on a thread of its own, which ends with what it keeps to.
struct ProcessorTests {
    /// Where the calling thread may run: `0-1`.
    private static func allowed() -> String {
        let lines = ProcFile.text("/proc/thread-self/status")?.split(separator: "\n") ?? []
        return lines.first { $0.hasPrefix("Cpus_allowed_list:") }.map { String($0.dropFirst(19)) } ?? "?"
    }

    private static let mayRunEverywhere = allowed() == "0-\(sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1)"

    @Test(.enabled(if: mayRunEverywhere, "this needs several processors, and all of them"))
    func `a thread keeps to a processor that is not taken, and leaves it`() {
        let found = Mutex((kept: [Int32](), allowed: [String](), whenAllAreTaken: Int32(0)))
        TestThread {
            found.withLock { found in
                var taken: UInt64 = 0
                for _ in 0..<2 {
                    let processor = orch_keep_to_processor(taken)
                    found.kept.append(processor)
                    found.allowed.append(Self.allowed())
                    orch_leave_processor()
                    if processor >= 0 { taken |= 1 << UInt64(processor) }
                }
                found.whenAllAreTaken = orch_keep_to_processor(.max)
                found.allowed.append(Self.allowed())
            }
        }.join()
        let (kept, allowed, whenAllAreTaken) = found.withLock(\.self)
        #expect(Set(kept).count == 2)
        #expect(allowed == kept.map { "\($0)" } + [Self.allowed()])
        #expect(whenAllAreTaken == -1)
    }

    @Test(.enabled(if: mayRunEverywhere, "this needs several processors, and all of them"))
    func `a thread that may not run everywhere keeps to none, and stays where it may`() {
        let found = Mutex((first: Int32(0), second: Int32(0), allowed: ""))
        TestThread {
            found.withLock { $0 = (orch_keep_to_processor(0), orch_keep_to_processor(0), Self.allowed()) }
        }.join()
        let (first, second, allowed) = found.withLock(\.self)
        #expect(first >= 0 && second == -1)
        #expect(allowed == "\(first)")
    }
}
