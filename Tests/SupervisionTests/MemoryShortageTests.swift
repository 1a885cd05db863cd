import Glibc
import Supervision
import Testing

struct MemoryShortageTests {
    @Test func `the kernel's log names whom it killed`() {
        let records: [String: Int32?] = [
            "3,1400,98123456,-;Memory cgroup out of memory: Killed process 4711 (python3) total-vm:213000kB, anon-rss:3000kB\n":
                4711,
            "3,1401,98123457,-;Out of memory: Killed process 12 (a Killed process 99) total-vm:1kB\n": 12,
            "6,1402,98123458,-;oom_reaper: reaped process 4711 (python3), now anon-rss:0kB\n": nil,
            // What a program wrote to it, with the facility of programs.
            "11,1403,98123459,-;Out of memory: Killed process 13 (forged)\n": nil,
            "nonsense": nil,
        ]
        for (record, victim) in records { #expect(MemoryShortage.victim(in: record) == victim, "\(record)") }
    }

    @Test(.enabled(if: MemoryShortage().isExact, "needs the kernel's log"))
    func `who is killed after another one of its cgroup was out of memory was not out of memory itself`() throws {
        let group = TemporaryDirectory()
        group.write("memory.events", "oom 1\noom_kill 1\n")
        #expect(!MemoryShortage().killed(getpid(), group: group.path))
    }

    @Test func `a cgroup counts those it lost`() {
        #expect(MemoryShortage.counts("low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n"))
        #expect(!MemoryShortage.counts("low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\n"))
        #expect(!MemoryShortage.counts(""))
    }
}
