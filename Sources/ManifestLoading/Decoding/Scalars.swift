import SidecarModel
import YAMLReading

/// Scalars by the YAML 1.2 core schema, and the units of the manifest.
extension ManifestDecoder {
    /// A scalar's text with variables replaced. Nil, reported or not checkable: nothing to go on with.
    ///
    /// `isTyped`: the text is to be read as something else, so quotes matter.
    private func value(_ node: NodeID, named name: String, expecting: String, isTyped: Bool) -> String? {
        guard document.kind(node) == .scalar else {
            reportKind(of: node, "'\(name)'", takes: expecting)
            return nil
        }
        guard !isNothing(node, named: name) else { return nil }
        guard hasDollar(node) else {
            if isTyped, !document.isPlain(node) {
                let isTagged = document.style(node) == .plain
                report(
                    .wrongType, at: node,
                    "'\(name)' takes \(expecting), and this is \(isTagged ? "text by its tag" : "quoted text")",
                    help: isTagged ? "remove the tag" : "remove the quotes")
                return nil
            }
            return document.string(node)
        }
        let result = interpolate(document.string(node), at: node, mode: .full)
        guard !result.isUnresolved else { return nil }
        guard let text = result.template.literal else {
            reportReference(in: result.template, at: node, named: name)
            return nil
        }
        return text
    }

    /// An entry of a list that is `null`, `~` or empty, where text was to be. Reports that.
    func isNothing(_ node: NodeID, named name: String) -> Bool {
        guard document.isNull(node) else { return false }
        report(
            .missingValue, at: node, "an entry of '\(name)' is nothing",
            help: "remove it, or quote it when it is meant as text")
        return true
    }

    func text(_ node: NodeID, named name: String) -> String? {
        value(node, named: name, expecting: "text", isTyped: false)
    }

    func flag(_ node: NodeID, named name: String) -> Bool? {
        guard let text = value(node, named: name, expecting: "true or false", isTyped: true) else { return nil }
        switch text {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default:
            let isOldSpelling = ["yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
            report(
                .invalidBoolean, at: node, "'\(name)' takes true or false, not '\(text)'",
                help: isOldSpelling ? "'\(text)' is text in YAML 1.2: write true or false" : nil)
            return nil
        }
    }

    func integer(_ node: NodeID, in range: ClosedRange<Int>, named name: String) -> Int? {
        guard let text = value(node, named: name, expecting: "a whole number", isTyped: true) else { return nil }
        guard let number = Self.integer(text) else {
            report(.invalidNumber, at: node, "'\(name)' takes a whole number, not '\(text)'")
            return nil
        }
        guard range.contains(number) else {
            report(
                .outOfRange, at: node,
                "'\(name)' is \(number), and must be from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    /// Decimal, `0o17` or `0x1f`, as the core schema has it.
    static func integer(_ text: String) -> Int? {
        if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16) }
        if text.hasPrefix("0o") { return Int(text.dropFirst(2), radix: 8) }
        return Int(text)
    }

    func number(_ node: NodeID, in range: ClosedRange<Double>, named name: String) -> Double? {
        guard let text = value(node, named: name, expecting: "a number", isTyped: true) else { return nil }
        guard let number = Double(text), number.isFinite else {
            report(.invalidNumber, at: node, "'\(name)' takes a number, not '\(text)'")
            return nil
        }
        guard range.contains(number) else {
            report(
                .outOfRange, at: node,
                "'\(name)' is \(text), and must be from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    func choice(_ node: NodeID, among choices: [String], named name: String) -> String? {
        guard let text = value(node, named: name, expecting: "a word", isTyped: false) else { return nil }
        if choices.contains(text) { return text }
        let suggestion =
            foreignValues[text].flatMap { choices.contains($0) ? $0 : nil } ?? closest(to: text, among: choices)
        report(
            .invalidChoice, at: node, "'\(name)' can't be '\(text)'",
            help: suggestion.map { "did you mean '\($0)'?" } ?? "it is one of \(choices.joined(separator: ", "))")
        return nil
    }

    func signal(_ node: NodeID, named name: String) -> Signal? {
        guard let text = value(node, named: name, expecting: "a signal", isTyped: false) else { return nil }
        if let signal = Signal(parsing: text) { return signal }
        report(
            .invalidSignal, at: node, "'\(text)' is no signal",
            help: closest(to: text.uppercased(), among: Signal.knownNames.map { "SIG" + $0 })
                .map { "did you mean '\($0)'?" } ?? "for example SIGTERM or SIGINT")
        return nil
    }

    func exitCodes(_ node: NodeID, named name: String) -> [Int32]? {
        if document.kind(node) == .scalar {
            return integer(node, in: 0...255, named: name).map { [Int32($0)] }
        }
        guard expect(.sequence, node, named: name) else { return nil }
        return document.items(node).compactMap { integer($0, in: 0...255, named: name).map(Int32.init) }
    }

    func duration(_ node: NodeID, _ bounds: DurationBounds, named name: String) -> Duration? {
        guard let text = value(node, named: name, expecting: "a duration", isTyped: false) else { return nil }
        switch parseDuration(text) {
        case .success(let duration):
            switch bounds {
            case .any: return duration
            case .positive where duration <= .zero:
                report(.outOfRange, at: node, "'\(name)' must be longer than 0")
                return nil
            case .atLeast(let least) where duration < least:
                report(.outOfRange, at: node, "'\(name)' is \(text), and must be at least \(least.spelling)")
                return nil
            case .positive, .atLeast: return duration
            }
        case .failure(let failure):
            let help = failure.advice(forDuration: text)
            switch failure {
            case .missingUnit:
                report(.missingUnit, at: node, "'\(name)' is \(text) without a unit", help: help)
            case .malformed: report(.invalidDuration, at: node, "'\(text)' is no duration", help: help)
            case .outOfOrder:
                report(
                    .invalidDuration, at: node, "'\(text)' is no duration: each unit stands once, the largest first",
                    help: help)
            case .tooLarge: report(.outOfRange, at: node, "'\(name)' is longer than 100 years", help: help)
            }
        }
        return nil
    }

    func size(_ node: NodeID, named name: String) -> ByteCount? {
        guard let text = value(node, named: name, expecting: "a size", isTyped: false) else { return nil }
        switch parseSize(text) {
        case .success(let size):
            guard size.bytes >= 4096 else {
                report(.outOfRange, at: node, "'\(name)' is \(text), and must be at least 4KiB")
                return nil
            }
            return size
        case .failure(.missingUnit):
            report(
                .missingUnit, at: node, "'\(name)' is \(text) without a unit",
                help: "write \(text)KiB, \(text)MiB or \(text)GiB")
        case .failure(.malformed), .failure(.outOfOrder):
            report(.invalidSize, at: node, "'\(text)' is no size", help: "for example 512KiB, 10MiB or 1GB")
        case .failure(.tooLarge): report(.outOfRange, at: node, "'\(name)' is \(text), and can be at most 1000TB")
        }
        return nil
    }
}
