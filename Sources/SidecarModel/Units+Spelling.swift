extension Duration {
    /// As it is written in a manifest: `250ms`, `1m30s`, `2h`. Below a microsecond it is `0`.
    package var spelling: String {
        var rest = nanoseconds / 1000
        guard rest != 0 else { return "0" }
        var text = rest < 0 ? "-" : ""
        rest = abs(rest)
        for (unit, size) in [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)]
            as [(String, Int64)]
        {
            if rest >= size {
                text += "\(rest / size)\(unit)"
                rest %= size
            }
        }
        if rest >= 1000 {
            text += "\(rest / 1000)ms"
            rest %= 1000
        }
        return rest > 0 ? text + "\(rest)us" : text
    }
}

extension ByteCount {
    /// As it is written in a manifest, in the largest unit that is exact.
    package var spelling: String {
        for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] as [(String, Int64)] {
            if bytes != 0, bytes % (1 << shift) == 0 { return "\(bytes >> shift)\(unit)" }
        }
        return bytes == 0 ? "0" : "\(bytes)B"
    }
}
