import Glibc

/// A point in time for people: microseconds since 1970, UTC. Never used for deadlines.
package struct WallTime: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    package var microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package static var now: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    package static func < (left: WallTime, right: WallTime) -> Bool { left.microseconds < right.microseconds }

    /// How many bytes `write` fills: `2026-11-23T10:00:00.123456Z`.
    static let textLength = 27

    package var description: String {
        String(unsafeUninitializedCapacity: Self.textLength) { buffer in
            write(to: UnsafeMutableRawBufferPointer(buffer))
            return Self.textLength
        }
    }

    /// For file names that sort by time: `20261123T100000.123456Z`.
    package var compact: String { description.filter { $0 != "-" && $0 != ":" } }

    /// RFC 3339 with microseconds, in UTC. The buffer holds at least `textLength` bytes.
    func write(to buffer: UnsafeMutableRawBufferPointer) {
        let clamped = min(max(microseconds, 0), 253_402_300_799_999_999)
        let (seconds, fraction) = clamped.quotientAndRemainder(dividingBy: 1_000_000)
        let (days, second) = seconds.quotientAndRemainder(dividingBy: 86_400)
        let date = Self.civil(days: days)
        Self.put(date.year, digits: 4, at: 0, in: buffer)
        buffer[4] = UInt8(ascii: "-")
        Self.put(date.month, digits: 2, at: 5, in: buffer)
        buffer[7] = UInt8(ascii: "-")
        Self.put(date.day, digits: 2, at: 8, in: buffer)
        buffer[10] = UInt8(ascii: "T")
        Self.put(second / 3600, digits: 2, at: 11, in: buffer)
        buffer[13] = UInt8(ascii: ":")
        Self.put(second / 60 % 60, digits: 2, at: 14, in: buffer)
        buffer[16] = UInt8(ascii: ":")
        Self.put(second % 60, digits: 2, at: 17, in: buffer)
        buffer[19] = UInt8(ascii: ".")
        Self.put(fraction, digits: 6, at: 20, in: buffer)
        buffer[26] = UInt8(ascii: "Z")
    }

    /// Reads exactly what `write` writes.
    package init?(parsing text: some Collection<UInt8>) {
        guard text.count == Self.textLength else { return nil }
        var digits: [Int64] = []
        digits.reserveCapacity(20)
        for (byte, shape) in zip(text, "dddd-dd-ddTdd:dd:dd.ddddddZ".utf8) {
            if shape == UInt8(ascii: "d") {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
                digits.append(Int64(byte - UInt8(ascii: "0")))
            } else if byte != shape {
                return nil
            }
        }
        func number(_ range: Range<Int>) -> Int64 { digits[range].reduce(0) { $0 * 10 + $1 } }
        let month = number(4..<6)
        let day = number(6..<8)
        guard (1...12).contains(month), (1...31).contains(day) else { return nil }
        let days = Self.days(year: number(0..<4), month: month, day: day)
        let seconds = days * 86_400 + number(8..<10) * 3600 + number(10..<12) * 60 + number(12..<14)
        microseconds = seconds * 1_000_000 + number(14..<20)
    }

    private static func put(_ value: Int64, digits: Int, at start: Int, in buffer: UnsafeMutableRawBufferPointer) {
        var rest = value
        for place in stride(from: start + digits - 1, through: start, by: -1) {
            buffer[place] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    /// The proleptic Gregorian date, in 400-year eras that start on 1 March.
    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
