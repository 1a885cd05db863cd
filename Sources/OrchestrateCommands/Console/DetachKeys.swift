import Glibc

/// Ctrl-P Ctrl-Q at a terminal: the end of an attachment, as with containers.
///
/// The terminal goes on editing lines and showing what is typed. Only these two keys are handed over at once, as a
/// newline is.
final class DetachKeys {
    private static let first: UInt8 = 0x10
    private static let second: UInt8 = 0x11

    private let descriptor: Int32
    private let before: termios
    private var isHalfPressed = false

    /// Nil when it is no terminal, or another process has it.
    init?(descriptor: Int32) {
        var settings = termios()
        guard tcgetpgrp(descriptor) == getpgrp(), tcgetattr(descriptor, &settings) == 0 else { return nil }
        self.descriptor = descriptor
        before = settings
        // Otherwise Ctrl-Q means: go on printing.
        settings.c_iflag &= ~tcflag_t(IXON)
        withUnsafeMutableBytes(of: &settings.c_cc) { keys in
            keys[Int(VEOL)] = Self.first
            keys[Int(VEOL2)] = Self.second
        }
        tcsetattr(descriptor, TCSANOW, &settings)
    }

    /// The terminal is as it was.
    func restore() {
        var settings = before
        tcsetattr(descriptor, TCSANOW, &settings)
    }

    /// What of the input goes on; nil when both keys were pressed one after the other.
    func passed(_ input: some Sequence<UInt8>) -> [UInt8]? {
        var output: [UInt8] = []
        for byte in input {
            if isHalfPressed {
                if byte == Self.second { return nil }
                output.append(Self.first)
            }
            isHalfPressed = byte == Self.first
            if !isHalfPressed { output.append(byte) }
        }
        return output
    }
}
