import CProcess
import Glibc
import Testing

/// A directory with a records file.
private final class RecordsDirectory {
    let path: String
    let descriptor: Int32

    init() throws {
        var template = Array("/tmp/records-tests-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }

    deinit {
        for name in ["spawns", "spawns.old"] { unlink("\(path)/\(name)") }
        rmdir(path)
        close(descriptor)
    }

    func records() throws -> orch_records {
        var records = orch_records()
        try #require(orch_records_open(descriptor, &records) == 0)
        return records
    }
}

private func shut(_ records: inout orch_records) {
    orch_records_unmap(&records)
    close(records.fd)
}

struct RecordsTests {
    @Test func `what is claimed is still there when the file is opened again`() throws {
        let directory = try RecordsDirectory()
        var records = try directory.records()
        #expect(orch_records_reserve(&records, 0) == 0)
        orch_slot_claim(&records, 0, UInt32(ORCH_KIND_HOOK), 12, "db/0:pre_start")
        let nonce = records.header.pointee.nonce
        let generation = try #require(orch_slot_at(&records, 0)).pointee.generation
        shut(&records)
        records = try directory.records()
        defer { shut(&records) }
        #expect(records.header.pointee.nonce == nonce)
        #expect(records.header.pointee.used_slots == 1)
        let slot = try #require(orch_slot_at(&records, 0))
        #expect(orch_slot_state(slot) == ORCH_SLOT_CLAIMED)
        #expect(slot.pointee.incarnation == 12)
        #expect(slot.pointee.generation == generation)
        #expect(String(cString: orch_slot_name(slot)) == "db/0:pre_start")
        #expect(orch_slot_at(&records, ORCH_SLOT_COUNT) == nil)
    }

    @Test func `records of an earlier revision are taken up, those of a later layout are left where they are`() throws {
        let directory = try RecordsDirectory()
        var records = try directory.records()
        orch_slot_claim(&records, 0, 0, 1, "db/0")
        records.header.pointee.revision = 0
        shut(&records)
        records = try directory.records()
        #expect(records.header.pointee.revision == ORCH_RECORDS_REVISION)
        #expect(records.header.pointee.used_slots == 1)
        records.header.pointee.version = ORCH_RECORDS_VERSION + 1
        shut(&records)
        var later = orch_records()
        #expect(orch_records_open(directory.descriptor, &later) == -EPROTONOSUPPORT)
        #expect(access("\(directory.path)/spawns.old", F_OK) != 0)
    }

    @Test func `how a process is stopped can always be followed, whatever is on record`() throws {
        let directory = try RecordsDirectory()
        var records = try directory.records()
        defer { shut(&records) }
        orch_slot_claim(&records, 0, 0, 1, "db/0")
        let slot = try #require(orch_slot_at(&records, 0))
        var stop = orch_slot_stop(slot)
        #expect(stop.step_count == 1)
        #expect(stop.steps.0.signal == UInt32(SIGTERM))
        #expect(stop.steps.0.wait_ms == 10_000)
        slot.pointee.stop.step_count = 200
        slot.pointee.stop.target = 9
        slot.pointee.stop.steps.3 = orch_stop_step(signal: 4711, wait_ms: 5)
        stop = orch_slot_stop(slot)
        #expect(stop.step_count == UInt8(ORCH_STOP_STEPS))
        #expect(stop.target == UInt8(ORCH_STOP_MIXED))
        #expect(stop.steps.3.signal == UInt32(SIGTERM))
        #expect(stop.steps.3.wait_ms == 5)
    }

    @Test func `keepers that started within one tick are told apart`() throws {
        let directory = try RecordsDirectory()
        var records = try directory.records()
        defer { shut(&records) }
        #expect(orch_records_keeper(&records) == 0)
        records.header.pointee.keeper_start_time = 4711
        records.header.pointee.keeper_pid = 100
        let one = orch_records_keeper(&records)
        records.header.pointee.keeper_pid = 101
        #expect(orch_records_keeper(&records) != one)
    }

    @Test func `a mark names its slot in its generation, and no other's`() throws {
        let directory = try RecordsDirectory()
        var records = try directory.records()
        defer { shut(&records) }
        orch_slot_claim(&records, 5, 0, 1, "a/0")
        let mark = orch_slot_mark_value(&records, 5)
        var slot: UInt32 = 0
        #expect(orch_mark_slot(&records, mark, &slot) == 1)
        #expect(slot == 5)
        orch_slot_claim(&records, 5, 0, 2, "a/0")
        #expect(orch_mark_slot(&records, mark, &slot) == 0)
        for other in [0, 1, UInt64.max, mark ^ (1 << 40), mark ^ (1 << 63)] {
            #expect(orch_mark_slot(&records, other, &slot) == 0)
        }
    }

    @Test func `a name that is too long is cut`() throws {
        let directory = try RecordsDirectory()
        var records = try directory.records()
        defer { shut(&records) }
        orch_slot_claim(&records, 0, 0, 1, String(repeating: "x", count: 500))
        let slot = try #require(orch_slot_at(&records, 0))
        #expect(String(cString: orch_slot_name(slot)).utf8.count == Int(ORCH_NAME_SIZE) - 1)
    }

    @Test func `records of another boot, and what is no such file, are moved aside`() throws {
        let directory = try RecordsDirectory()
        var records = try directory.records()
        orch_slot_claim(&records, 0, 0, 1, "a/0")
        records.header.pointee.boot_hash ^= 1
        shut(&records)
        records = try directory.records()
        #expect(records.header.pointee.used_slots == 0)
        #expect(access(directory.path + "/spawns.old", F_OK) == 0)
        records.header.pointee.version = 0
        shut(&records)
        records = try directory.records()
        #expect(records.header.pointee.version == ORCH_RECORDS_VERSION)
        shut(&records)
        #expect(truncate(directory.path + "/spawns", 100) == 0)
        records = try directory.records()
        defer { shut(&records) }
        #expect(records.header.pointee.used_slots == 0)
    }
}

struct ProcessLookTests {
    @Test func `a process lives under its pid and start time, and no longer as a zombie`() throws {
        var own = orch_process_facts()
        try #require(orch_process_look(getpid(), &own) == 0)
        #expect(orch_process_lives(getpid(), own.start_time) != 0)
        #expect(orch_process_lives(getpid(), own.start_time + 1) == 0)
        #expect(orch_process_lives(getpid(), 0) == 0)

        var pid: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
        defer { free(arguments[0]) }
        try #require(posix_spawnp(&pid, "true", nil, nil, &arguments, nil) == 0)
        var end = siginfo_t()
        try #require(waitid(P_PID, id_t(pid), &end, WEXITED | WNOWAIT) == 0)
        var facts = orch_process_facts()
        #expect(orch_process_look(pid, &facts) == 0)
        #expect(orch_process_lives(pid, facts.start_time) == 0)
        #expect(waitpid(pid, nil, 0) == pid)
    }

    @Test func `this process's identity is what the kernel says`() throws {
        var facts = orch_process_facts()
        #expect(orch_process_look(getpid(), &facts) == 0)
        #expect(facts.parent == getppid())
        #expect(facts.session == getsid(0))
        #expect(facts.group == getpgrp())
        #expect(facts.start_time > 0)
        let proven = orch_pidfd_open_proven(getpid(), facts.start_time)
        #expect(proven >= 0)
        close(proven)
        #expect(orch_pidfd_open_proven(getpid(), facts.start_time + 1) == -ESRCH)
        #expect(orch_process_look(Int32.max, &facts) == -ESRCH)
    }

    @Test func `a program is found along PATH as the child would find it`() {
        var found = [CChar](repeating: 0, count: 4096)
        #expect(orch_find_executable("sh", "/nowhere:/bin", "/", &found, found.count) == 0)
        #expect(found.starts(with: "/bin/sh".utf8CString))
        #expect(orch_find_executable("sh", "bin", "/", &found, found.count) == 0)
        #expect(found.starts(with: "bin/sh".utf8CString))
        #expect(orch_find_executable("sh", "", "/bin", &found, found.count) == 0)
        #expect(found.starts(with: "./sh".utf8CString))
        #expect(orch_find_executable("no-such", "/bin", "/", &found, found.count) == -ENOENT)
        #expect(orch_find_executable("passwd", "/etc", "/", &found, found.count) == -EACCES)
        #expect(orch_find_executable("", "/bin", "/", &found, found.count) == -ENOENT)
        #expect(orch_find_executable("sh", "/bin", "/", &found, 4) == -ENAMETOOLONG)
    }
}
