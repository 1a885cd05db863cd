import ChaosKit
import Glibc

/// What a program waits for by `: <path`, until the test opens it for good.
final class Gate {
    private let path: String
    private var descriptor: Int32 = -1

    init(_ name: String, in sandbox: Sandbox) {
        path = "\(sandbox.directory)/\(name)"
        mkfifo(path, 0o644)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func open() { descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC) }
}
