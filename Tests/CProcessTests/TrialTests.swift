import CProcess
import Glibc
import Testing

@Suite struct TrialTests {
    /// The tests themselves need these.
    @Test(arguments: [
        orch_try_clone3, orch_try_close_range, orch_try_subreaper, orch_try_mark, orch_try_socket_diagnostics,
    ])
    func `what is required works here, and trying it changes nothing`(trial: @Sendable () -> Int32) {
        var before = rlimit()
        var after = rlimit()
        #expect(readMarkLimit(&before) == 0)
        #expect(trial() == 0)
        #expect(readMarkLimit(&after) == 0)
        #expect(before.rlim_cur == after.rlim_cur)
    }

    @Test func `a mark tells its project, and no mark tells none`() {
        var marks: [UInt64] = [0, 0]
        #expect(orch_process_marks(getpid(), &marks) == 0 || marks[0] >> 62 == 1)
        #expect(orch_mark_nonce(1 << 62 | 0xdead_beef << 30 | 77) == 0xdead_beef)
    }
}

/// The limit that marks descendants, of this process.
private func readMarkLimit(_ limit: inout rlimit) -> Int32 {
    getrlimit(__rlimit_resource_t(__RLIMIT_RTTIME.rawValue), &limit)
}
