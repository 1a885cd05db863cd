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
            "cwd", "env", "env_file", "clear_env", "stop", "logs", "replicas", "resources", "stale",
        ]
        for (key, value) in document.pairs(places[position].value) {
            let name = document.string(key)
            if idle.contains(name) {
                report(
                    .ignoredForExternal, at: key,
                    "'\(name)' does nothing for an external sidecar, as it is not started here", help: "remove it")
            } else if name == "restart", document.kind(value) == .mapping {
                checkExitCodesOfExternal(value)
            }
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

    /// The rest of `restart` says when it is given up, and tried again.
    private func checkExitCodesOfExternal(_ restart: NodeID) {
        for name in ["success_codes", "no_restart_codes"] {
            guard let entry = document.entry(name, in: restart) else { continue }
            report(
                .ignoredForExternal, at: entry.key,
                "'\(name)' does nothing for an external sidecar, as its exit is not seen", help: "remove it")
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
        guard let last = compoundTail(of: text), isProgram(last) else { return }
        report(
            .shellWithoutExec, at: place(position, key),
            "the shell stays between us and the service, and signals end the shell first",
            help: "put 'exec' before the last command")
    }

    /// A program is called that could take the shell's place, and does not yet.
    private func isProgram(_ command: String) -> Bool {
        let words = command.split(whereSeparator: { $0 == " " || $0 == "\t" })
        let called = words.first { word in
            // `A=b ./web` sets a variable for what it calls.
            guard let equals = word.firstIndex(of: "=") else { return true }
            return !isVariableName(String(word[..<equals]))
        }
        guard let called, !called.hasPrefix("("), !command.hasSuffix(")") else { return false }
        return !shellOwnWords.contains(String(called))
    }

    /// The last command of a script of several, nil when there is only one.
    private func compoundTail(of script: String) -> String? {
        var commands: [[UInt8]] = [[]]
        var quote: UInt8 = 0
        var previous: UInt8 = 0x0A
        var isEscaped = false
        var isComment = false
        for byte in script.utf8 {
            defer { previous = byte }
            if isComment, byte != 0x0A { continue }
            isComment = false
            if isEscaped {
                isEscaped = false
                commands[commands.count - 1].append(byte == 0x0A ? 0x20 : byte)
                continue
            }
            if quote != 0 {
                if byte == quote { quote = 0 }
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
            } else if byte == UInt8(ascii: "#"), [0x20, 0x09, 0x0A, UInt8(ascii: ";")].contains(previous) {
                isComment = true
                continue
            } else if separates(byte, after: previous) {
                commands.append([])
                continue
            }
            if byte == UInt8(ascii: "\\"), quote != UInt8(ascii: "'") {
                isEscaped = true
            } else {
                commands[commands.count - 1].append(byte)
            }
        }
        let written = commands.filter { !$0.allSatisfy { $0 == 0x20 || $0 == 0x09 } }
        return written.count > 1 ? written.last.map { String(decoding: $0, as: UTF8.self) } : nil
    }

    private func separates(_ byte: UInt8, after previous: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ";"), UInt8(ascii: "|"), 0x0A: true
        // `2>&1` is one command.
        case UInt8(ascii: "&"): previous != UInt8(ascii: ">") && previous != UInt8(ascii: "<")
        default: false
        }
    }
}

/// What the shell itself does: no program that could take its place.
private let shellOwnWords: Set<String> = [
    "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select", "then",
    "time", "until", "while", "[[", "]]",
    ".", ":", "[", "alias", "bg", "break", "cd", "command", "continue", "declare", "echo", "eval", "exec", "exit",
    "export", "false", "fg", "getopts", "hash", "jobs", "kill", "local", "printf", "pwd", "read", "readonly", "return",
    "set", "shift", "source", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait",
]
