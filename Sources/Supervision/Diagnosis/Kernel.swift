import Glibc

/// The kernel this runs on.
package enum Kernel {
    /// `6.18.5`
    package static let release: String = {
        var name = utsname()
        guard uname(&name) == 0 else { return "unknown" }
        return withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }()
}
