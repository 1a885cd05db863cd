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
        slot.pointee.pid = Self.pid
        slot.pointee.keeper = orch_records_keeper(&records)
        slot.pointee.exit_kind = Int32(CLD_EXITED)
        records.header.pointee.used_slots = 1
        orch_slot_set_state(slot, UInt32(ORCH_SLOT_EXITED))
        return records.fd
    }

    @Test func `of one that is found ended, the keeper's word of that may say too that nothing remains`() throws {
        let directory = try SupervisedProject.makeDirectory()
        defer {
            unlink("\(directory)/spawns")
            rmdir(directory)
        }
        let records = try recordEnded(in: directory)
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
        try #require(orch_packet_send(ends[1], &word, 1, nil, 0) == 0)
        _ = loop.schedule(at: loop.now + .seconds(20)) { loop.stop() }
        try loop.run()
        #expect(empty == [found[0].id])
    }
}
