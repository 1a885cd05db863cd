import SidecarModel
import YAMLReading

/// Where secrets come from, and who gets them. Their values never come by here.
extension ManifestDecoder {
    /// A use of a secret as it was written, to be looked up when all are known.
    struct WrittenSecretUse {
        /// Nil in `defaults:`.
        var sidecar: Int?
        var secret: String
        var node: NodeID
    }

    func decodeSecretSources(_ node: NodeID, into secrets: inout [SecretSpec]) {
        guard expect(.mapping, node, named: "secrets") else { return }
        secretsNode = node
        for (key, value) in document.pairs(node) {
            let name = document.string(key)
            guard isSecretName(name) else {
                report(
                    .invalidSecretName, at: key, "'\(name)' can't be a secret's name",
                    help: "letters, digits, '-', '_' and '.', beginning with a letter or digit, at most 63")
                continue
            }
            secretKeys[name] = key
            if let source = secretSource(value, key: key) { secrets.append(SecretSpec(name: name, source: source)) }
        }
    }

    /// Whose values are not to be shown. What is wrong with a secret is said when it is decoded.
    func noteSecretVariables(in node: NodeID) {
        guard document.kind(node) == .mapping else { return }
        for (key, value) in document.pairs(node) where document.kind(value) == .mapping {
            guard let variable = document.value(of: "env", in: value), document.kind(variable) == .scalar else {
                continue
            }
            let name = hasDollar(variable) ? text(variable, named: "env") : document.string(variable)
            if let name { secretVariables[name] = document.string(key) }
        }
    }

    private func secretSource(_ node: NodeID, key: NodeID) -> SecretSpec.Source? {
        guard document.kind(node) == .mapping else {
            report(
                .wrongType, at: document.isNull(node) ? key : node,
                "a secret takes a mapping that says where its value comes from",
                help: "the value itself never stands in a manifest: write { env: NAME }, { file: path }, "
                    + "{ command: [...] } or { generate: 32 }")
            return nil
        }
        var form = SecretForm()
        decode(node, by: secretSourceKeys, named: "a secret", into: &form) { kind, node, form in
            switch kind {
            case .path: form.file = literalPath(node, named: "file")
            case .command: form.command = literalCommand(node)
            default: break
            }
        }
        let names = secretSourceKeys.keys.map(\.name).filter { document.value(of: $0, in: node) != nil }
        guard names.count == 1 else {
            let all = secretSourceKeys.keys.map(\.name)
            if names.isEmpty, !lacks(all, of: secretSourceKeys, in: node) { return nil }
            report(
                .secretSource, at: key,
                names.isEmpty
                    ? "nothing says where the value of '\(document.string(key))' comes from"
                    : "the value of '\(document.string(key))' can't come from \(names.joined(separator: " and ")) at once",
                help: names.isEmpty ? "add 'env', 'file', 'command' or 'generate'" : "keep one")
            return nil
        }
        if let variable = form.environment {
            guard isVariableName(variable) else {
                report(
                    .invalidVariableName, at: document.value(of: "env", in: node) ?? node,
                    "'\(variable)' can't be a variable's name",
                    help: "'env' names the variable that holds the secret")
                return nil
            }
        }
        if let length = form.length { return .generated(length) }
        return form.file.map { .file($0) } ?? form.environment.map { .environment($0) }
            ?? form.command.map { .command($0) }
    }

    private func literalPath(_ node: NodeID, named name: String) -> String? {
        guard let path = path(node, named: name) else { return nil }
        return literal(path, named: name, at: node)
    }

    private func literalCommand(_ node: NodeID) -> [String]? {
        guard let words = command(node, named: "command", of: secretSourceKeys) else { return nil }
        let literals = words.compactMap { literal($0, named: "command", at: node) }
        return literals.count == words.count ? literals : nil
    }

    private func literal(_ template: Template, named name: String, at node: NodeID) -> String? {
        if let text = template.literal { return text }
        reportReference(in: template, at: node, named: name)
        return nil
    }

    // MARK: Uses

    func decodeSecretUses(_ node: NodeID, into uses: inout [SecretUse]) {
        guard document.kind(node) == .mapping else {
            reportKind(of: node, "'secrets'", takes: "a mapping", help: "write VARIABLE: name-of-the-secret")
            hasUnreadSecretUse = true
            return
        }
        for (key, value) in document.pairs(node) {
            let variable = document.string(key)
            guard isVariableName(variable) else {
                report(
                    .invalidVariableName, at: key, "'\(variable)' can't be a variable's name",
                    help: "letters, digits and '_', not beginning with a digit")
                hasUnreadSecretUse = true
                continue
            }
            guard let use = secretUse(value, variable: variable, key: key) else {
                hasUnreadSecretUse = true
                continue
            }
            if let position = uses.firstIndex(where: { $0.variable == variable }) {
                uses[position] = use
            } else {
                uses.append(use)
            }
        }
    }

    private func secretUse(_ node: NodeID, variable: String, key: NodeID) -> SecretUse? {
        if document.isNull(node) {
            report(
                .missingValue, at: key, "'\(variable)' names no secret", help: "give it the name of one of the secrets")
            return nil
        }
        var form = SecretUseForm()
        var place = node
        if document.kind(node) == .scalar {
            form.secret = text(node, named: variable)
        } else {
            decode(node, by: secretUseKeys, named: "a secret's use", into: &form) { _, _, _ in }
            guard document.kind(node) == .mapping else { return nil }
            guard let from = document.value(of: "from", in: node) else {
                if lacks(["from"], of: secretUseKeys, in: node) {
                    report(
                        .missingKey, at: key, "'\(variable)' doesn't say which secret",
                        help: "add 'from:' with its name")
                }
                return nil
            }
            place = from
        }
        guard let secret = form.secret else { return nil }
        writtenSecretUses.append(WrittenSecretUse(sidecar: current, secret: secret, node: place))
        return SecretUse(variable: variable, secret: secret, form: form.form)
    }
}

/// It may become the name of a file.
private func isSecretName(_ name: String) -> Bool {
    guard (1...63).contains(name.utf8.count), let first = name.utf8.first, isNameByte(first),
        first != UInt8(ascii: "_")
    else { return false }
    return name.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
}
