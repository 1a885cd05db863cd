import SidecarModel

package enum UnitFailure: Error, Hashable {
    case missingUnit, malformed, outOfOrder, tooLarge

    /// How a duration is written, where it was written otherwise.
    package func advice(forDuration text: String) -> String? {
        switch self {
        case .missingUnit: "write \(text)s for seconds, or \(text)ms, \(text)m, \(text)h, \(text)d"
        case .malformed: "for example 250ms, 5s, 1m30s, 2h or 7d"
        case .outOfOrder: "for example 1m30s"
        case .tooLarge: nil
        }
    }
}

/// `250ms`, `5s`, `1m30s`, `2h`, `7d`, `1.5s`: each unit once, the largest first. `0` needs no unit.
package func parseDuration(_ text: String) -> Result<Duration, UnitFailure> {
    // However it is written: an editor that goes by the schema sees the number alone.
    if Double(text) == 0 { return .success(.zero) }
    var total: Int64 = 0
    var previous = Double.infinity
    var rest = text.utf8[...]
    guard !rest.isEmpty else { return .failure(.malformed) }
    while !rest.isEmpty {
        guard let (number, unit) = takeQuantity(&rest) else { return .failure(.malformed) }
        let nanoseconds: Double
        switch unit {
        case "us": nanoseconds = 1e3
        case "ms": nanoseconds = 1e6
        case "s": nanoseconds = 1e9
        case "m": nanoseconds = 60e9
        case "h": nanoseconds = 3600e9
        case "d": nanoseconds = 86400e9
        case "": return .failure(rest.isEmpty && previous == .infinity ? .missingUnit : .malformed)
        default: return .failure(.malformed)
        }
        guard nanoseconds < previous else { return .failure(.outOfOrder) }
        previous = nanoseconds
        let value = number * nanoseconds
        guard value <= 100 * 366 * 86400e9 else { return .failure(.tooLarge) }
        total += Int64(value.rounded())
    }
    return total <= Int64(100 * 366 * 86400e9) ? .success(.nanoseconds(total)) : .failure(.tooLarge)
}

/// `512KiB`, `10MiB`, `1GB`, `100B`; `0` needs no unit.
func parseSize(_ text: String) -> Result<ByteCount, UnitFailure> {
    if text == "0" { return .success(ByteCount(bytes: 0)) }
    var rest = text.utf8[...]
    guard let (number, unit) = takeQuantity(&rest), rest.isEmpty else { return .failure(.malformed) }
    let factor: Double
    switch unit {
    case "B": factor = 1
    case "kB", "KB": factor = 1e3
    case "MB": factor = 1e6
    case "GB": factor = 1e9
    case "TB": factor = 1e12
    case "KiB", "Ki": factor = 1024
    case "MiB", "Mi": factor = 1_048_576
    case "GiB", "Gi": factor = 1_073_741_824
    case "TiB", "Ti": factor = 1_099_511_627_776
    case "": return .failure(.missingUnit)
    default: return .failure(.malformed)
    }
    let bytes = number * factor
    return bytes <= 1e15 ? .success(ByteCount(bytes: Int64(bytes.rounded()))) : .failure(.tooLarge)
}

/// Digits with at most one point between them, then letters.
private func takeQuantity(_ rest: inout Substring.UTF8View) -> (number: Double, unit: Substring)? {
    var number = 0.0
    var fraction = 0.0
    var digits = 0
    var hasPoint = false
    while let byte = rest.first {
        if (0x30...0x39).contains(byte) {
            digits += 1
            if hasPoint {
                fraction /= 10
                number += Double(byte - 0x30) * fraction
            } else {
                number = number * 10 + Double(byte - 0x30)
            }
        } else if byte == UInt8(ascii: "."), !hasPoint, digits > 0 {
            hasPoint = true
            fraction = 1
            digits = 0
        } else {
            break
        }
        rest = rest.dropFirst()
    }
    guard digits > 0 else { return nil }
    let letters = rest.prefix { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") }
    rest = rest.dropFirst(letters.count)
    return (number, Substring(letters))
}
