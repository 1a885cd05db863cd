import SidecarModel
import YAMLReading

/// `umask`, `ulimits` and `stale`.
extension ManifestDecoder {
    /// In quotes, because YAML 1.2 reads a bare 0027 as twenty-seven.
    func umask(_ node: NodeID) -> UInt32? {
        let isPlain = document.kind(node) == .scalar && document.isPlain(node) && !hasDollar(node)
        guard let text = text(node, named: "umask") else { return nil }
        let digits = text.utf8.count <= 4 ? UInt32(text, radix: 8) : nil
        guard let umask = digits, umask <= 0o777, !text.isEmpty, !text.hasPrefix("+"), !text.hasPrefix("-") else {
            report(
                .invalidUmask, at: node, "'\(text)' is no umask",
                help: "octal digits in quotes, from \"000\" to \"0777\"")
            return nil
        }
        if isPlain {
            report(
                .invalidUmask, at: node, "a bare \(text) is a decimal number in YAML 1.2",
                help: "write it in quotes: \"\(text)\"")
            return nil
        }
        return umask
    }

    func executablePath(_ node: NodeID) -> String? {
        guard let text = text(node, named: "exe") else { return nil }
        guard text.hasPrefix("/") else {
            report(
                .staleNotAbsolute, at: node, "'\(text)' is no absolute path",
                help: "a process is known by the very file it runs: write the whole path")
            return nil
        }
        return absolutePath(text, from: "/")
    }

    // MARK: Limits

    func decodeLimits(_ node: NodeID, into limits: inout [LimitSpec]) {
        guard expect(.mapping, node, named: "ulimits") else { return }
        for (key, value) in document.pairs(node) {
            let written = document.string(key)
            guard let name = LimitName(rawValue: written) else {
                report(unknownLimit: written, at: key)
                continue
            }
            guard !document.isNull(value) else {
                report(.missingValue, at: key, "'\(written)' has no value", help: "a number, or unlimited")
                continue
            }
            guard let limit = limit(value, name) else { continue }
            if let position = limits.firstIndex(where: { $0.name == name }) {
                limits[position] = limit
            } else {
                limits.append(limit)
            }
        }
    }

    private func report(unknownLimit written: String, at key: NodeID) {
        if written.lowercased().hasSuffix("rttime") {
            report(
                .invalidLimit, at: key, "'rttime' can't be set: it carries the mark by which descendants are known",
                help: "use 'cpu' to limit CPU time")
            return
        }
        let names = LimitName.allCases.map(\.rawValue)
        var bare = written.lowercased()
        for prefix in ["rlimit_", "limit"] where bare.hasPrefix(prefix) { bare.removeFirst(prefix.count) }
        let suggestion = names.contains(bare) ? bare : foreignLimits[bare] ?? closest(to: bare, among: names)
        report(
            .unknownKey, at: key, "there is no limit '\(written)'",
            help: suggestion.map { "did you mean '\($0)'?" } ?? "the limits are \(names.joined(separator: ", "))")
    }

    private func limit(_ node: NodeID, _ name: LimitName) -> LimitSpec? {
        guard document.kind(node) == .mapping else {
            return limitValue(node, name).map { LimitSpec(name, soft: $0, hard: $0) }
        }
        var form = LimitForm()
        decode(node, by: limitKeys, named: "a limit", into: &form) { kind, node, form in
            switch kind {
            case .softLimit: form.soft = limitValue(node, name)
            case .hardLimit: form.hard = limitValue(node, name)
            default: break
            }
        }
        if let soft = form.soft, let hard = form.hard, soft > hard {
            report(
                .invalidLimit, at: node, "the soft limit of '\(name.rawValue)' is above the hard one",
                help: "raise 'hard', or lower 'soft'")
            return nil
        }
        guard form.soft != nil || form.hard != nil else { return nil }
        return LimitSpec(name, soft: form.soft, hard: form.hard)
    }

    private func limitValue(_ node: NodeID, _ name: LimitName) -> UInt64? {
        guard let text = text(node, named: name.rawValue) else { return nil }
        if text == "unlimited" || text == "infinity" { return LimitSpec.unlimited }
        // One below `unlimited` and far below the kernel's own ends.
        if let number = Int64(text), number >= 0, !text.hasPrefix("+") { return UInt64(number) }
        if name.isSize, case .success(let size) = parseSize(text) { return UInt64(size.bytes) }
        report(
            .invalidLimit, at: node, "'\(name.rawValue)' can't be '\(text)'",
            help: text == "-1"
                ? "write unlimited"
                : name.isSize ? "a number of bytes, a size such as 64MiB, or unlimited" : "a number, or unlimited")
        return nil
    }
}

/// What others call them.
private let foreignLimits = [
    "openfiles": "nofile", "open_files": "nofile", "files": "nofile", "fd": "nofile", "processes": "nproc",
    "maxproc": "nproc", "memory": "as", "address_space": "as", "coredump": "core", "file_size": "fsize",
    "locked_memory": "memlock",
]
