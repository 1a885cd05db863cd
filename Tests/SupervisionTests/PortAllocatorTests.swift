import CProcess
import Glibc
import SidecarModel
@testable import Supervision
import Testing

/// A TCP socket that listens on a port of the kernel's choice, or on the one asked for.
final class Listener {
    private(set) var descriptor: Int32
    let port: UInt16

    init(port wanted: UInt16 = 0, reusing: Bool = false, on host: UInt32 = 0x7f00_0001) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if reusing {
            var one: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = wanted.bigEndian
        address.sin_addr.s_addr = host.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        port =
            withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    guard bind(descriptor, address, length) == 0, listen(descriptor, 16) == 0 else { return 0 }
                    getsockname(descriptor, address, &length)
                    return 1
                }
            } == 0 ? 0 : UInt16(bigEndian: address.sin_port)
    }

    deinit { stop() }

    func stop() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}

struct PortAllocatorTests {
    private let directory = TemporaryDirectory()
    /// Of a project whose other instances have none.
    private let ports = ProjectPorts()

    private func allocator(project: String = "one") throws -> PortAllocator {
        try Directory.create("\(directory.path)/\(project)")
        return try PortAllocator(
            registry: directory.path + "/ports", stateDirectory: "\(directory.path)/\(project)")
    }

    private func request(_ wanted: PortSpec.Wanted, _ instance: String = "db/0", sticky: UInt16? = nil) -> PortRequest {
        PortRequest(instance: instance, port: PortSpec(name: "sql", wanted: wanted), sticky: sticky)
    }

    @Test func `a reserved port can't be taken until it is released`() throws {
        let reservation = try allocator().reserve(request(.automatic), beside: ports)
        #expect(Listener(port: reservation.port).port == 0)
        reservation.release()
        #expect(Listener(port: reservation.port).port == reservation.port)
    }

    @Test func `the socket that holds a port is none of those that a child under way has copies of`() throws {
        let reservation = try allocator().reserve(request(.automatic), beside: ports)
        #expect(try #require(reservation.descriptor) >= ORCH_LOW_DESCRIPTORS)
    }

    @Test func `an automatic port is the same for the same instance, another one for another`() throws {
        let allocator = try allocator()
        let first = try allocator.reserve(request(.automatic), beside: ports)
        let second = try allocator.reserve(request(.automatic, "db/1"), beside: ports)
        #expect(first.port != second.port)
        first.release()
        #expect(try allocator.reserve(request(.automatic), beside: ports).port == first.port)
        #expect(!first.moved)
    }

    @Test func `a fixed port in use fails with the one who holds it`() throws {
        let stranger = Listener()
        let conflict = #expect(throws: PortConflict.self) {
            try allocator().reserve(request(.number(stranger.port)), beside: ports)
        }
        guard case .taken(let address, let port, let owner) = conflict else {
            Issue.record("not taken: \(String(describing: conflict))")
            return
        }
        #expect(address == "127.0.0.1")
        #expect(port == stranger.port)
        #expect(owner?.pid == getpid())
        let failure = conflict?.failure(for: request(.number(port)).port, in: directory.path + "/one")
        #expect(failure?.step == .port)
        #expect(
            failure?.message.hasPrefix("port 'sql': port \(port) on 127.0.0.1 is in use by pid \(getpid()) (") == true)
    }

    @Test func `a range skips what is taken, keeps what it had, and says who fills it`() throws {
        let stranger = Listener()
        let allocator = try allocator()
        let range = PortSpec.Wanted.range(stranger.port, stranger.port + 5)
        let moved = try allocator.reserve(request(range, sticky: stranger.port), beside: ports)
        #expect(moved.port > stranger.port && moved.port <= stranger.port + 5)
        #expect(moved.moved)
        moved.release()
        let kept = try allocator.reserve(request(range, sticky: moved.port), beside: ports)
        #expect(kept.port == moved.port)
        #expect(!kept.moved)
        #expect(throws: PortConflict.self) {
            try allocator.reserve(request(.range(stranger.port, stranger.port), "other/0"), beside: ports)
        }
    }

    @Test func `connections on their way out are no obstacle`() throws {
        let server = Listener(reusing: true)
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = server.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, 16) }
        }
        #expect(connected == 0)
        let accepted = accept(server.descriptor, nil, nil)
        // The server's side closes first and is left in FIN_WAIT2, then TIME_WAIT.
        close(accepted)
        close(client)
        server.stop()
        let port = server.port
        #expect(Listener(port: port).port == 0)
        #expect(try allocator().reserve(request(.number(port)), beside: ports).port == port)
    }

    @Test func `a stranger on the other loopback address counts`() throws {
        let six = socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(six) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_addr = in6addr_loopback
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let listening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(six, address, length) == 0 && listen(six, 1) == 0 && getsockname(six, address, &length) == 0
            }
        }
        try #require(listening)
        let conflict = #expect(throws: PortConflict.self) {
            try allocator().reserve(request(.number(UInt16(bigEndian: address.sin6_port))), beside: ports)
        }
        guard case .taken("::1", _, let owner) = conflict else {
            Issue.record("not taken on ::1: \(String(describing: conflict))")
            return
        }
        #expect(owner?.pid == getpid())
    }

    @Test func `a running project keeps its port, one that does not run yields`() throws {
        let first = try allocator(project: "one")
        let held = try first.reserve(request(.automatic), beside: ports)
        held.release()
        let lock = open(directory.path + "/one/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #expect(flock(lock, LOCK_EX) == 0)
        let second = try allocator(project: "two")
        let wanted = request(.number(held.port), "web/0")
        let conflict = #expect(throws: PortConflict.self) { try second.reserve(wanted, beside: ports) }
        let holder = PortLease(stateDirectory: directory.path + "/one", instance: "db/0", name: "sql")
        #expect(conflict == .leased(port: held.port, holder: holder))
        // What other tests are just starting has a copy of the descriptor for a moment, and would keep it locked.
        flock(lock, LOCK_UN)
        close(lock)
        #expect(try second.reserve(wanted, beside: ports).port == held.port)
        second.releaseAll()
        #expect(try first.reserve(request(.number(held.port)), beside: ports).port == held.port)
    }

    @Test func `who holds a port is called as people know the project, with the command that ends it`() throws {
        let lease = PortLease(stateDirectory: directory.path + "/one", instance: "db/0", name: "sql")
        let conflict = PortConflict.leased(port: 5432, holder: lease)
        let port = request(.number(5432)).port
        func sentence(in project: String) -> String { conflict.failure(for: port, in: project).message }
        let other = directory.path + "/two"
        #expect(
            sentence(in: other) == "port 'sql': port 5432 belongs to db/0 of the running project in "
                + "\(directory.path)/one; end it, or let the port move: 5432-5482")
        mkdir(directory.path + "/one", 0o700)
        let name = open(directory.path + "/one/name", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(name) }
        #expect(write(name, "/srv/my app/sidecars.yaml\n", 26) == 26)
        #expect(
            sentence(in: other) == "port 'sql': port 5432 belongs to db/0 of the running project "
                + "/srv/my app/sidecars.yaml; end it (orchestrate down --project '/srv/my app/sidecars.yaml'), "
                + "or let the port move: 5432-5482")
        let elsewhere = "(ORCHESTRATE_STATE_DIR=\(directory.path) orchestrate down --project '"
        #expect(sentence(in: "/elsewhere/two").contains(elsewhere))
    }

    @Test func `what another instance of the project has is taken, whoever the registry says it was`() throws {
        let allocator = try allocator()
        let held = try allocator.reserve(request(.automatic), beside: ports)
        held.release()
        let wanted = request(.number(held.port), "web/0")
        var ports = ports
        ports.assign([(request(.automatic).port, held.port)], to: "db/0")
        #expect(throws: PortConflict.sibling(port: held.port, instance: "db/0")) {
            try allocator.reserve(wanted, beside: ports)
        }
        ports.remove("db/0")
        #expect(try allocator.reserve(wanted, beside: ports).port == held.port)
    }

    @Test func `a range that the project's own have used up asks for no end of theirs`() throws {
        let allocator = try allocator()
        let held = try allocator.reserve(request(.automatic), beside: ports)
        let range = request(.range(held.port, held.port + 1), "a/2")
        var ports = ports
        for (number, name) in [(held.port, "a/0"), (held.port + 1, "a/1")] {
            ports.assign([(range.port, number)], to: name)
        }
        let error = try #require(throws: PortConflict.self) { try allocator.reserve(range, beside: ports) }
        #expect(
            error.sentence(for: range.port, in: "/state/one") == "port 'sql': no port is free from \(held.port) to "
                + "\(held.port + 1): \(held.port) is that of a/0; widen the range, or write auto")
    }

    @Test func `a number is one instance's on each address, and on all of them with 0_0_0_0`() {
        func port(_ bind: String, _ transport: PortSpec.Transport = .tcp, name: String = "sql") -> PortSpec {
            PortSpec(name: name, wanted: .number(8000), bind: bind, transport: transport)
        }
        var ports = ProjectPorts()
        ports.assign([(port("127.0.0.1"), 8000)], to: "db/0")
        #expect(ports.holder(of: 8000, inTheWayOf: port("127.0.0.1"), of: "web/0") == "db/0")
        #expect(ports.holder(of: 8000, inTheWayOf: port("0.0.0.0"), of: "web/0") == "db/0")
        #expect(ports.holder(of: 8000, inTheWayOf: port("127.0.0.1", name: "more"), of: "db/0") == "db/0")
        #expect(ports.holder(of: 8000, inTheWayOf: port("127.0.0.1"), of: "db/0") == nil)
        #expect(ports.holder(of: 8000, inTheWayOf: port("127.0.0.2"), of: "web/0") == nil)
        #expect(ports.holder(of: 8000, inTheWayOf: port("127.0.0.1", .udp), of: "web/0") == nil)
        ports.assign([(port("127.0.0.1"), 8001)], to: "db/0")
        #expect(ports.holder(of: 8000, inTheWayOf: port("127.0.0.1"), of: "web/0") == nil)
    }

    @Test func `a strict range keeps the number it had, or fails`() throws {
        let stranger = Listener()
        let strict = PortSpec(name: "sql", wanted: .range(stranger.port, stranger.port + 20), strict: true)
        let first = try allocator().reserve(PortRequest(instance: "db/0", port: strict), beside: ports)
        #expect(first.port != stranger.port)
        #expect(throws: PortConflict.self) {
            try allocator().reserve(
                PortRequest(instance: "db/0", port: strict, sticky: stranger.port), beside: ports)
        }
    }

    /// In a process of its own: what other tests start has copies of every descriptor for a moment.
    @Test func `only who can keep a port from being bound has it instead of the one it was given to`() async throws {
        await #expect(processExitsWith: .success) {
            let directory = TemporaryDirectory()
            let allocator = try PortAllocator(registry: directory.path + "/ports", stateDirectory: directory.path)
            let port = PortSpec(name: "sql", wanted: .automatic)
            func isBlamed(_ stranger: Stranger, isOurs: Bool = false) -> Bool {
                // What others may have on that number is none of our business.
                let conflict = allocator.stranger(on: stranger.port, of: port) { isOurs || $0 != stranger.pid }
                guard case .taken("127.0.0.1", stranger.port, let owner) = conflict else { return false }
                return owner?.pid == stranger.pid
            }
            // Those that are started end with it, which an exit would leave running.
            func firstFault() throws -> Int32 {
                let plain = try Stranger(on: "127.0.0.1")
                if !isBlamed(plain) { return 1 }
                if isBlamed(plain, isOurs: true) { return 2 }
                if !isBlamed(try Stranger(on: "0.0.0.0")) { return 3 }
                if !isBlamed(try Stranger(on: "::", isAloneOnV6: false)) { return 4 }
                if isBlamed(try Stranger(on: "::", isAloneOnV6: true)) { return 5 }
                if isBlamed(try Stranger(on: "::1")) { return 6 }
                if !isBlamed(try Stranger(on: "::ffff:127.0.0.1", isAloneOnV6: false)) { return 8 }
                return isBlamed(try Stranger(on: "127.0.0.2")) ? 7 : 0
            }
            let fault = try firstFault()
            guard fault == 0 else { exit(fault) }
        }
    }

    @Test func `a number may move by a thousand unless it is strict, a range within its ends, and auto anywhere`() {
        func numbers(_ wanted: PortSpec.Wanted, strict: Bool) -> ClosedRange<UInt16>? {
            PortSpec(name: "sql", wanted: wanted, strict: strict).numbers
        }
        #expect(numbers(.number(8000), strict: true) == 8000...8000)
        #expect(numbers(.number(8000), strict: false) == 8000...9000)
        #expect(numbers(.number(65_000), strict: false) == 65_000...65_535)
        #expect(numbers(.number(65_535), strict: false) == 65_535...65_535)
        #expect(numbers(.range(8000, 8010), strict: true) == 8000...8010)
        #expect(numbers(.automatic, strict: false) == nil)
        let moving = PortSpec(name: "sql", wanted: .number(8000), strict: false)
        #expect([7999, 8000, 9000, 9001].map { moving.allows($0) } == [false, true, true, false])
        #expect(PortSpec(name: "sql", wanted: .automatic).allows(1))
    }

    /// In a process of its own: what other tests start has copies of every descriptor for a moment.
    @Test func `a port that is let go of is free, whoever was being started as it was reserved`() async throws {
        await #expect(processExitsWith: .success) {
            let directory = TemporaryDirectory()
            let allocator = try PortAllocator(registry: directory.path + "/ports", stateDirectory: directory.path)
            let spawner = Spawner(records: try SpawnRecords(directory: directory.path), descriptorLimit: 0) { outcome in
                if outcome.pid > 0 { waitpid(outcome.pid, nil, 0) }
                if outcome.descriptor >= 0 { close(outcome.descriptor) }
            }
            try spawner.start()
            let request = ProcessRequest(
                name: "a/0", kind: .sidecar, incarnation: 1, arguments: ["true"], environment: [],
                workingDirectory: "/")
            for slot in 0..<400 as Range<UInt32> {
                spawner.spawn(
                    Spawner.Order(
                        id: ProcessID(slot: slot, generation: 1), request: request, mark: 0, isKeepersChild: false,
                        groups: nil))
            }
            let port = PortRequest(instance: "db/0", port: PortSpec(name: "sql", wanted: .automatic))
            while spawner.hasWaiting {
                let reservation = try allocator.reserve(port, beside: ProjectPorts())
                reservation.release()
                guard Listener(port: reservation.port).port == reservation.port else { exit(1) }
            }
            spawner.finish()
        }
    }
}
