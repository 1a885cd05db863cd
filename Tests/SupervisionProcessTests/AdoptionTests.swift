import CProcess
import Glibc
import SidecarModel
import Supervision
import Testing

/// What a supervisor makes of what is on record, with the test as its keeper.
struct AdoptionTests {
    private static let pid: Int32 = 4711

    /// Says to have started one process, which has ended.
    private func recordEnded(in directory: String) throws -> Int32 {
        try record(in: directory, as: UInt32(ORCH_SLOT_EXITED)) { slot, keeper in
            slot.pointee.pid = Self.pid
            slot.pointee.keeper = keeper
            slot.pointee.exit_kind = Int32(CLD_EXITED)
        }
    }

    private func record(
        in directory: String, as state: UInt32,
        _ fill: (UnsafeMutablePointer<orch_slot>, _ keeper: UInt64) throws -> Void
    ) throws -> Int32 {
        let place = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(place) }
        var records = orch_records(header: nil, slots: nil, fd: -1)
        try #require(orch_records_open(place, &records) == 0)
        defer { orch_records_unmap(&records) }
        records.header.pointee.keeper_pid = getpid()
        records.header.pointee.keeper_start_time = 1
        try #require(orch_records_reserve(&records, 0) == 0)
        orch_slot_claim(&records, 0, UInt32(ORCH_KIND_PROBE), 1, "a/0:liveness")
        let slot = try #require(orch_slot_at(&records, 0))
        try fill(slot, orch_records_keeper(&records))
        records.header.pointee.used_slots = 1
        orch_slot_set_state(slot, state)
        return records.fd
    }

    @Test func `of one that is found ended, the keeper's word of that may say too that nothing remains`() throws {
        let directory = try SupervisedProject.makeDirectory()
        defer {
            unlink("\(directory)/spawns")
            rmdir(directory)
        }
        try adopt(recordEnded(in: directory), in: directory) { loop, host, keeper in
            var empty: [ProcessID] = []
            host.onEmpty = { id in
                empty.append(id)
                loop.stop()
            }
            let found = host.adopt()
            try #require(found.map(\.condition) == [.exited(.code(0))])
            // The keeper gets that before it has sent what it wrote on record, and sends one message for both.
            host.kill(found[0].id)
            var word = orch_message_make(UInt16(ORCH_MESSAGE_EXITED), 0, Self.pid, 0, 0)
            try #require(orch_packet_send(keeper, &word, 1, nil, 0) == 0)
            _ = loop.schedule(at: loop.now + .seconds(20)) { loop.stop() }
            try loop.run()
            #expect(empty == [found[0].id])
        }
    }

    @Test(.enabled(if: orch_try_exit_status() == 0, "needs Linux 6.15, which tells how others' children ended"))
    func `of one that ended with its keeper, how it ended is known until somebody reaps it`() throws {
        for (script, status) in [("exit 7", ExitStatus.code(7)), ("kill -9 $$", .signal(.kill))] {
            let directory = try SupervisedProject.makeDirectory()
            defer {
                unlink("\(directory)/spawns")
                rmdir(directory)
            }
            var pid: pid_t = 0
            let words = ["sh", "-c", script]
            var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
            defer { for argument in arguments { free(argument) } }
            try #require(posix_spawnp(&pid, "sh", nil, nil, &arguments, nil) == 0)
            var end = siginfo_t()
            try #require(waitid(P_PID, id_t(pid), &end, WEXITED | WNOWAIT) == 0)
            let records = try record(in: directory, as: UInt32(ORCH_SLOT_RUNNING)) { slot, keeper in
                var facts = orch_process_facts()
                try #require(orch_process_look(pid, &facts) == 0)
                slot.pointee.pid = pid
                // An earlier one's.
                slot.pointee.keeper = keeper + 1
                slot.pointee.start_time = facts.start_time
            }
            try adopt(records, in: directory) { _, host, _ in
                #expect(host.adopt().map(\.condition) == [.exited(status)])
            }
            #expect(waitpid(pid, nil, 0) == pid)
        }
    }

    private func adopt(
        _ records: Int32, in directory: String, _ body: (EventLoop, ProcessHost, _ keeper: Int32) throws -> Void
    ) throws {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        let others = (0..<3).map { _ in open("/dev/null", O_RDONLY | O_CLOEXEC) }
        defer { for descriptor in others + [ends[1]] { close(descriptor) } }
        let descriptors = try #require(
            KeeperDescriptors(parsing: "\(ends[0]),\(others[0]),\(records),-1,\(others[1]),\(others[2]),-1"))
        let loop = try EventLoop()
        let host = try ProcessHost(
            loop: loop, stateDirectory: directory, descriptors: descriptors, containment: .session)
        try body(loop, host, ends[1])
    }
}
