import CProcess
import Glibc

/// A POSIX extended regular expression over bytes. A pattern without special characters is searched for as it stands.
///
/// `@unchecked Sendable`: the compiled form is written only in `init`, and matching without capture groups leaves it
/// unchanged (glibc takes its own lock for what it caches inside).
package final class RegularExpression: @unchecked Sendable {
    package struct Malformed: Error, Hashable, Sendable {
        package var pattern: String
        /// What the C library says is wrong.
        package var reason: String
    }

    package let pattern: String
    private let literal: [UInt8]?
    private var compiled = regex_t()

    package init(_ pattern: String) throws(Malformed) {
        self.pattern = pattern
        let special = Set("\\^$.[]|()?*+{}".utf8)
        if !pattern.utf8.contains(where: special.contains) {
            literal = Array(pattern.utf8)
            return
        }
        literal = nil
        let failure = regcomp(&compiled, pattern, REG_EXTENDED)
        guard failure == 0 else {
            let reason = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
                regerror(failure, &compiled, text.baseAddress, 256)
                return text.baseAddress.map { String(cString: $0) } ?? ""
            }
            throw Malformed(pattern: pattern, reason: reason)
        }
    }

    deinit { if literal == nil { regfree(&compiled) } }

    package func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return matchesEmpty }
        if let literal {
            return literal.isEmpty || loop_find(base, bytes.count, literal, literal.count) != nil
        }
        let startAndEnd: Int32 = 1 << 2
        var range = regmatch_t(rm_so: 0, rm_eo: regoff_t(clamping: bytes.count))
        return regexec(&compiled, base.assumingMemoryBound(to: CChar.self), 1, &range, startAndEnd) == 0
    }

    package func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
    }

    private var matchesEmpty: Bool {
        if let literal { return literal.isEmpty }
        return regexec(&compiled, "", 0, nil, 0) == 0
    }
}
