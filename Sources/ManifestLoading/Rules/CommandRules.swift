import SidecarModel
import YAMLReading

extension ManifestDecoder {
    func checkCommand(of sidecar: SidecarSpec, _ position: Int) {
        if sidecar.kind == .external { checkExternal(position) }
        switch sidecar.program {
        case .shell(let script): checkExec(in: script, of: position, key: "shell")
        case .command(let words): checkWords(words, of: position)
        case nil: break
        }
    }

    /// Nothing is started for an external sidecar, so most keys say nothing.
    private func checkExternal(_ position: Int) {
        let idle = [
            "cwd", "env", "env_file", "clear_env", "restart", "stop", "timeout", "logs", "replicas",
            "resources", "stale",
        ]
        for (key, _) in document.pairs(places[position].value) where idle.contains(document.string(key)) {
            report(
                .ignoredForExternal, at: key,
                "'\(document.string(key))' does nothing for an external sidecar, as it is not started here",
                help: "remove it")
        }
        if sidecars[position].primary {
            report(
                .primaryExternal, at: place(position, "primary"),
                "an external sidecar can't be primary: its end is not seen", help: "remove it")
        }
        let health = sidecars[position].health
        let written = document.value(of: "health", in: places[position].value)
        if health.readiness == nil, health.startup == nil, written.map(document.isNull) != true {
            report(
                .externalWithoutProbe, at: places[position].key,
                "'\(sidecars[position].name)' is external and has no readiness probe, so nothing is known of it",
                help: "add a probe, for example health: { tcp: { host: 127.0.0.1, port: 5432 } }")
        }
    }

    private func checkWords(_ words: [Template], of position: Int) {
        if words.count >= 3, words[1].literal == "-c", let program = words[0].literal,
            ["sh", "bash", "dash", "zsh", "ash"].contains(lastComponent(of: program))
        {
            checkExec(in: words[2], of: position, key: "command")
        }
        for word in words {
            guard case .literal(let text) = word.segments.first, text.hasPrefix("~/") else { continue }
            report(
                .tildeNotExpanded, at: place(position, "command"),
                "'\(text)' is taken as it stands: no shell reads this",
                help: "write ${HOME} instead of '~'")
        }
    }

    /// A shell with more than one thing to do stays, gets the signal, and passes nothing on.
    private func checkExec(in script: Template, of position: Int, key: String) {
        guard sidecars[position].kind == .service else { return }
        var text = ""
        for segment in script.segments {
            if case .literal(let part) = segment { text += part } else { text += "x" }
        }
        guard let last = compoundTail(of: text), !last.hasPrefix("exec "), !last.hasPrefix("wait") else { return }
        report(
            .shellWithoutExec, at: place(position, key),
            "the shell stays between us and the service, and signals end the shell first",
            help: "put 'exec' before the last command")
    }

    /// The last command of a script of several, nil when there is only one.
    private func compoundTail(of script: String) -> String? {
        var last: [UInt8] = []
        var isCompound = false
        var quote: UInt8 = 0
        var text = Array(script.utf8)
        while let end = text.last, end == 0x0A || end == 0x20 || end == UInt8(ascii: ";") { text.removeLast() }
        for byte in text {
            if quote != 0 {
                if byte == quote { quote = 0 }
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
            }
            let separates = [UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), 0x0A].contains(byte)
            if quote == 0, separates {
                isCompound = true
                last = []
            } else if !(last.isEmpty && byte == 0x20) {
                last.append(byte)
            }
        }
        return isCompound ? String(decoding: last, as: UTF8.self) : nil
    }
}
