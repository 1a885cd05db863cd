import ChaosKit
import Glibc

/// A mount of one empty directory that answers, or does not.
struct HangingMount {
    static let isPossible = EndToEnd.canMount && File.exists("/dev/fuse")

    let place: String
    private let server: Program
    private let sandbox: Sandbox

    init(in sandbox: Sandbox) throws {
        self.sandbox = sandbox
        place = "\(sandbox.directory)/mount"
        mkdir(place, 0o755)
        server = try sandbox.start(program: ["python3", "-c", Self.program, place])
        try server.prints("mounted")
    }

    func hang() { server.signal(SIGSTOP) }

    func goOn() { server.signal(SIGCONT) }

    /// Whoever still waits for an answer gets an error.
    func end() {
        server.signal(SIGKILL)
        _ = try? server.end()
        _ = try? sandbox.tool("umount", "-l", place)
    }

    /// The protocol as far as it takes to enter a directory: linux/fuse.h.
    private static let program = #"""
        import ctypes, os, struct, sys
        place = sys.argv[1]
        libc = ctypes.CDLL(None, use_errno=True)
        fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
        if libc.mount(b"hanging", place.encode(), b"fuse", 0, options.encode()):
            sys.exit(os.strerror(ctypes.get_errno()))
        print("mounted", flush=True)
        INIT, GETATTR, FORGET, OPENDIR, READDIR, RELEASEDIR, ACCESS = 26, 3, 2, 27, 28, 29, 34
        directory = struct.pack("QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 512, 0)
        bodies = {
            INIT: struct.pack("IIIIHHII", 7, 31, 65536, 0, 12, 9, 65536, 1).ljust(64, b"\0"),
            GETATTR: struct.pack("QII", 0, 0, 0) + directory,
            OPENDIR: struct.pack("QII", 0, 0, 0),
            READDIR: b"", RELEASEDIR: b"", ACCESS: b"",
        }
        while True:
            try:
                request = os.read(fd, 1 << 20)
            except OSError:
                break
            _, operation, unique, _ = struct.unpack_from("IIQQ", request)
            if operation == FORGET:
                continue
            body = bodies.get(operation)
            os.write(fd, struct.pack("IiQ", 16 + len(body or b""), 0 if body is not None else -2, unique) + (body or b""))
        """#
}

/// A cgroup of version 1 with a limit of its own, for what a test starts in it.
struct LimitedGroup {
    let path: String

    private static func root(_ controller: String) -> String { "/sys/fs/cgroup/\(controller)" }

    static func isPossible(_ controller: String) -> Bool {
        geteuid() == 0 && access("\(root(controller))/cgroup.procs", W_OK) == 0
    }

    init(_ controller: String, limit: (file: String, value: String)) throws {
        path = "\(Self.root(controller))/orchestrate-e2e-\(getpid())"
        guard mkdir(path, 0o755) == 0 else { throw HarnessError("cannot make \(path): errno \(errno)") }
        try set(limit.file, limit.value)
    }

    func set(_ file: String, _ value: String) throws {
        let descriptor = open("\(path)/\(file)", O_WRONLY | O_CLOEXEC)
        defer { close(descriptor) }
        guard descriptor >= 0, write(descriptor, value, value.utf8.count) > 0 else {
            throw HarnessError("cannot set \(path)/\(file): errno \(errno)")
        }
    }

    /// Once nobody is in it: whoever just ended may still be counted.
    func remove() {
        _ = Deadline(seconds: 5).comes(every: 10) { rmdir(path) == 0 || errno != EBUSY }
    }
}
