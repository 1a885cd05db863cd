/// A moment on the wall clock, in microseconds since 1970 UTC. Written as RFC 3339 with microseconds.
package struct Timestamp: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    package var microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    package static func - (later: Timestamp, earlier: Timestamp) -> Duration {
        .microseconds(later.microseconds &- earlier.microseconds)
    }

    /// `2026-11-23T10:00:00.123456Z`
    package var description: String {
        let (days, rest) = Self.divide(microseconds, 86_400_000_000)
        let date = CivilDate(daysSince1970: days)
        let seconds = rest / 1_000_000
        // One for each event and each printed line, so written in place.
        let fields: [(value: Int64, width: Int, after: UInt8)] = [
            (date.month, 2, UInt8(ascii: "-")), (date.day, 2, UInt8(ascii: "T")),
            (seconds / 3600, 2, UInt8(ascii: ":")), (seconds / 60 % 60, 2, UInt8(ascii: ":")),
            (seconds % 60, 2, UInt8(ascii: ".")), (rest % 1_000_000, 6, UInt8(ascii: "Z")),
        ]
        let year = String(date.year)
        return String(repeating: "0", count: max(0, 4 - year.utf8.count)) + year
            + String(unsafeUninitializedCapacity: 23) { buffer in
                buffer[0] = UInt8(ascii: "-")
                var end = 1
                for field in fields {
                    var value = field.value
                    for place in (end..<end + field.width).reversed() {
                        buffer[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10)
                        value /= 10
                    }
                    buffer[end + field.width] = field.after
                    end += field.width + 1
                }
                return end
            }
    }

    /// Reads RFC 3339 with `Z` or an offset, and any number of fraction digits.
    package init?(_ text: String) {
        var rest = text.utf8[...]
        func number(_ digits: Int) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<digits {
                guard let digit = rest.first, (48...57).contains(digit) else { return nil }
                rest.removeFirst()
                value = value * 10 + Int64(digit - 48)
            }
            return value
        }
        func separator(_ allowed: StaticString) -> UInt8? {
            guard let first = rest.first, allowed.withUTF8Buffer({ $0.contains(first) }) else { return nil }
            rest.removeFirst()
            return first
        }
        guard let year = number(4), separator("-") != nil, let month = number(2), separator("-") != nil,
            let day = number(2), separator("Tt ") != nil, let hour = number(2), separator(":") != nil,
            let minute = number(2), separator(":") != nil, let second = number(2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var fraction: Int64 = 0
        if separator(".") != nil {
            var unit: Int64 = 100_000
            let before = rest.count
            while let digit = number(1) {
                fraction += digit * unit
                unit /= 10
            }
            guard rest.count < before else { return nil }
        }
        var offset: Int64 = 0
        guard let zone = separator("Zz+-") else { return nil }
        if zone == UInt8(ascii: "+") || zone == UInt8(ascii: "-") {
            guard let hours = number(2), separator(":") != nil, let minutes = number(2) else { return nil }
            offset = (hours * 60 + minutes) * (zone == UInt8(ascii: "-") ? -60 : 60)
        }
        guard rest.isEmpty else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSince1970
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        microseconds = seconds * 1_000_000 + fraction
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = Timestamp(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an RFC 3339 time")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    private static func divide(_ value: Int64, _ by: Int64) -> (quotient: Int64, remainder: Int64) {
        let remainder = value % by
        return remainder < 0 ? (value / by - 1, remainder + by) : (value / by, remainder)
    }
}

/// A day of the Gregorian calendar, by the arithmetic of 400-year eras.
private struct CivilDate {
    var year: Int64
    var month: Int64
    var day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(daysSince1970: Int64) {
        // Eras start on 1 March 0000, so that the leap day is the last one of a year.
        let shifted = daysSince1970 + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSince1970: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
