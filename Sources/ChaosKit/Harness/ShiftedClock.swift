import Glibc

/// A wall clock that jumps, for those programs alone that are started with its environment. No clock of the machine is
/// touched: `libChaosClock.so` is preloaded, and what it adds to the time of day stands in a file that all of them have
/// mapped.
package final class ShiftedClock {
    private let file: String
    private let shared: SharedNumbers
    /// Seconds.
    package private(set) var shift = 0

    private static var library: String { "\(Sandbox.builtPrograms)/libChaosClock.so" }

    package init(in sandbox: Sandbox) throws {
        file = "\(sandbox.directory)/clock"
        shared = try SharedNumbers(2, in: file)
    }

    package var environment: [String: String] { ["LD_PRELOAD": Self.library, "CHAOS_CLOCK": file] }

    package func jump(by seconds: Int) {
        shift += seconds
        shared[0] = shift
    }

    /// How often somebody asked for the time of day.
    package var looks: Int { shared[1] }

    /// What the clock shows: seconds since 1970.
    package var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec + shift) + Double(time.tv_nsec) / 1e9
    }

    /// The instants that an answer for people gives for a key, as seconds since 1970.
    package static func instants(of key: String, in answer: String) -> [Double] {
        answer.split(separator: "\n").compactMap { line in line.field(key, " : ").flatMap(seconds) }
    }

    /// Since 1970, of `2026-11-23T10:00:00.123456Z`.
    static func seconds(_ text: Substring) -> Double? {
        let numbers = text.split { !$0.isNumber }.compactMap { Int32($0) }
        guard numbers.count == 7 else { return nil }
        var date = tm()
        date.tm_year = numbers[0] - 1900
        date.tm_mon = numbers[1] - 1
        date.tm_mday = numbers[2]
        date.tm_hour = numbers[3]
        date.tm_min = numbers[4]
        date.tm_sec = numbers[5]
        return Double(timegm(&date)) + Double(numbers[6]) / 1e6
    }

    package static let obstacle: String? = {
        guard File.exists(library) else { return "\(library) is not there" }
        do {
            var shown: Double = 0
            try Sandbox.run { sandbox in
                let clock = try ShiftedClock(in: sandbox)
                clock.jump(by: -86_400)
                let ended = try sandbox.start(program: ["date", "+%s"], environment: clock.environment).end()
                shown = (Double(ended.output.filter(\.isNumber)) ?? 0) - clock.now
            }
            return abs(shown) < 60 ? nil : "a preloaded library does not change what a program takes for the time"
        } catch {
            return "\(error)"
        }
    }()
}
