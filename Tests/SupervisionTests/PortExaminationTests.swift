import CProcess
import Glibc
import SidecarModel
import Testing

@testable import Supervision

struct PortExaminationTests {
    private let directory = TemporaryDirectory()

    private func examination(isOwn: Bool = false) -> PortExamination {
        PortExamination(registry: directory.path + "/ports") { _ in isOwn }
    }

    private func port(_ wanted: PortSpec.Wanted, strict: Bool = true) -> PortSpec {
        PortSpec(name: "sql", wanted: wanted, strict: strict)
    }

    @Test func `a number that is in use is told with who has it, and can be had by one that may move`() {
        let stranger = Listener()
        let conflict = examination().conflict(over: port(.number(stranger.port)), replicas: 1)
        guard case .taken("127.0.0.1", stranger.port, let owner) = conflict else {
            Issue.record("not taken: \(String(describing: conflict))")
            return
        }
        #expect(owner?.pid == getpid())
        #expect(examination().conflict(over: port(.number(stranger.port), strict: false), replicas: 1) == nil)
        #expect(examination().conflict(over: port(.automatic), replicas: 3) == nil)
        #expect(examination().conflict(over: port(.number(stranger.port)), replicas: 0) == nil)
    }

    @Test func `of a range as many have to be free as there are replicas`() throws {
        let (first, second) = try #require(Self.neighbours())
        let range = port(.range(first.port, second.port))
        let full = try #require(examination().conflict(over: range, replicas: 1))
        #expect(full.message.hasPrefix("no port is free from \(first.port) to \(second.port): port \(first.port) on"))
        second.stop()
        #expect(examination().conflict(over: range, replicas: 1) == nil)
        let tooFew = try #require(examination().conflict(over: range, replicas: 2))
        #expect(
            tooFew.message.hasPrefix(
                "only 1 port is free from \(first.port) to \(second.port), and each of 2 replicas needs one: "
                    + "port \(first.port)"))
        #expect(tooFew.remedy(for: range, askedFrom: "") == "widen the range, or write auto")
        let more = PortConflict.tooFew(free: 3, needed: 5, first: 8000, last: 8010, example: "taken")
        #expect(
            more.message == "only 3 ports are free from 8000 to 8010, and each of 5 replicas needs one: taken")
    }

    @Test func `a port of the project is in order while its supervisor or a process of it has that, and no stranger`()
        throws
    {
        let project = directory.path + "/one"
        try Directory.create(project)
        let allocator = try PortAllocator(registry: directory.path + "/ports", stateDirectory: project)
        let reservation = try allocator.reserve(
            PortRequest(instance: "db/0", port: port(.automatic)), beside: ProjectPorts())
        #expect(listen(try #require(reservation.descriptor), 1) == 0)
        let wanted = port(.number(reservation.port))
        let lock = open(project + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(lock) }
        #expect(flock(lock, LOCK_EX) == 0)
        let records = try SpawnRecords(directory: project)
        defer { withExtendedLifetime(records) {} }
        func conflict() -> PortConflict? { examination(isOwn: true).conflict(over: wanted, replicas: 1) }
        // The sidecar is stopped, and somebody else has its port.
        guard case .taken(_, reservation.port, let owner) = conflict() else {
            Issue.record("not taken: \(String(describing: conflict()))")
            return
        }
        #expect(owner?.pid == getpid())
        records.raw.header.pointee.supervisor_pid = getpid()
        #expect(conflict() == nil)
        records.raw.header.pointee.supervisor_pid = 0
        // It runs, and has another process listen for it.
        orch_slot_claim(&records.raw, 0, UInt32(ORCH_KIND_SIDECAR), 1, "db/0")
        var facts = orch_process_facts()
        #expect(orch_process_look(getpid(), &facts) == 0)
        records.slot(0).pointee.pid = getpid()
        records.slot(0).pointee.start_time = facts.start_time
        records.setState(0, ORCH_SLOT_RUNNING)
        #expect(conflict() == nil)
        records.slot(0).pointee.start_time += 1
        #expect(conflict() != nil)
        reservation.release()
    }

    @Test func `a running project's port is in order for the manifest that describes it, and for no other`() throws {
        let project = directory.path + "/one"
        try Directory.create(project)
        let allocator = try PortAllocator(registry: directory.path + "/ports", stateDirectory: project)
        let reservation = try allocator.reserve(
            PortRequest(instance: "db/0", port: port(.automatic)), beside: ProjectPorts())
        let wanted = port(.number(reservation.port))
        // That project does not run: whoever holds the port is a stranger, whatever the lease says.
        #expect(examination(isOwn: true).conflict(over: wanted, replicas: 1) != nil)
        let lock = open(project + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(lock) }
        #expect(flock(lock, LOCK_EX) == 0)
        let records = try SpawnRecords(directory: project)
        withExtendedLifetime(records) { records.raw.header.pointee.supervisor_pid = getpid() }
        #expect(examination(isOwn: true).conflict(over: wanted, replicas: 1) == nil)
        let lease = PortLease(stateDirectory: project, instance: "db/0", name: "sql")
        #expect(
            examination().conflict(over: wanted, replicas: 1) == .leased(port: reservation.port, holder: lease))
        reservation.release()
    }

    @Test func `looking leaves nothing behind`() {
        // An address that is this process's alone, as pids have 22 bits, and a number that nobody is given by chance.
        let host = 0x7f40_0000 | UInt32(getpid())
        let bind = "127.\(host >> 16 & 255).\(host >> 8 & 255).\(host & 255)"
        let wanted = PortSpec(name: "sql", wanted: .number(15_000), bind: bind)
        #expect(examination().conflict(over: wanted, replicas: 1) == nil)
        #expect(access(directory.path + "/ports", F_OK) != 0)
        #expect(Listener(port: 15_000, on: host).port == 15_000)
    }

    /// Two that listen on numbers one after the other.
    private static func neighbours() -> (Listener, Listener)? {
        for _ in 0..<100 {
            let first = Listener()
            guard first.port < .max else { continue }
            let second = Listener(port: first.port + 1)
            if second.port == first.port + 1 { return (first, second) }
        }
        return nil
    }
}
