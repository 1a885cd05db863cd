/// Durations and sizes as people read them: three figures at most.
enum UnitText {
    /// `350ms`, `4.2s`, `1m03s`, `2h05m`, `3d04h`
    static func duration(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if seconds < 0 { return "0s" }
        if seconds == 0 { return "\(attoseconds / 1_000_000_000_000_000)ms" }
        if seconds < 10 { return "\(seconds).\(attoseconds / 100_000_000_000_000_000)s" }
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3600 { return "\(seconds / 60)m\(twoDigits(seconds % 60))s" }
        if seconds < 86_400 { return "\(seconds / 3600)h\(twoDigits(seconds / 60 % 60))m" }
        return "\(seconds / 86_400)d\(twoDigits(seconds / 3600 % 24))h"
    }

    /// `512B`, `1.5MiB`, `20GiB`
    static func bytes(_ bytes: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var unit = 0
        var scaled = bytes
        var rest: Int64 = 0
        while scaled >= 1024, unit < units.count - 1 {
            rest = scaled % 1024
            scaled /= 1024
            unit += 1
        }
        guard unit > 0, scaled < 10 else { return "\(scaled)\(units[unit])" }
        return "\(scaled).\(rest * 10 / 1024)\(units[unit])"
    }

    private static func twoDigits(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
