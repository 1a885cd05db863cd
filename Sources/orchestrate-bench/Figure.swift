/// One line of the report: what we took, and what the bare system calls took in the same run.
struct Figure: Encodable {
    let name: String
    let unit: String
    /// Medians.
    let ours: Double
    let raw: Double?
    /// What it should stay within, in the same unit. Nil: for orientation.
    let bar: Double?
    let samples: [Double]

    init(_ name: String, unit: String, samples: [Double], raw: [Double] = [], bar: ((Double) -> Double)? = nil) {
        self.name = name
        self.unit = unit
        self.samples = samples
        ours = median(samples)
        self.raw = raw.isEmpty ? nil : median(raw)
        self.bar = bar.map { $0(raw.isEmpty ? 0 : median(raw)) }
    }

    var isWithin: Bool? { bar.map { ours <= $0 } }

    static let header =
        pad("", 46) + pad("ours", 12, right: true) + pad("raw", 12, right: true) + pad("ratio", 8, right: true)
        + pad("bar", 12, right: true)

    var line: String {
        let ratio = raw.map { $0 > 0 ? short(ours / $0) : "" } ?? ""
        let verdict = isWithin.map { $0 ? "" : "  over" } ?? ""
        return pad("\(name) [\(unit)]", 46) + pad(short(ours), 12, right: true)
            + pad(raw.map(short) ?? "", 12, right: true) + pad(ratio, 8, right: true)
            + pad(bar.map(short) ?? "", 12, right: true) + verdict
    }
}

func median(_ values: [Double]) -> Double { percentile(values, 50) }

func percentile(_ values: [Double], _ percent: Int) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    if percent == 50, sorted.count.isMultiple(of: 2) {
        return (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
    }
    return sorted[min(sorted.count - 1, sorted.count * percent / 100)]
}

/// Three significant digits or so.
func short(_ value: Double) -> String {
    let scale: Double = value < 10 ? 100 : value < 100 ? 10 : 1
    let rounded = (value * scale).rounded() / scale
    return scale == 1 ? "\(Int(rounded))" : "\(rounded)"
}

func pad(_ text: String, _ width: Int, right: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - text.count))
    return right ? space + text : text + space
}
