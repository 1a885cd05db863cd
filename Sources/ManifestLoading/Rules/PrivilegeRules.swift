import SidecarModel
import YAMLReading

/// Whom sidecars run as and with what limits, and whether this machine lets us.
extension ManifestDecoder {
    func checkPrivileges(of sidecar: SidecarSpec, _ position: Int) {
        for (key, name) in [("user", sidecar.privileges.user), ("group", sidecar.privileges.group)] {
            guard let name, !isAccountName(name) else { continue }
            report(
                .invalidAccount, at: place(position, key), "'\(name)' can't be the name of a \(key)",
                help: "a name as in /etc/\(key == "user" ? "passwd" : "group"), or a number")
        }
        if sidecar.privileges.staleExecutable == nil,
            let stale = document.value(of: "stale", in: places[position].value),
            lacks(["exe"], of: staleKeys, in: stale)
        {
            report(.missingKey, at: stale, "'stale' doesn't say of which executable", help: "add 'exe:' with its path")
        }
    }

    private func isAccountName(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= 256, first != UInt8(ascii: "-") else { return false }
        if name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return UInt32(name).map { $0 < .max } ?? false }
        return name.utf8.allSatisfy {
            isNameByte($0) || "-.@$\\".utf8.contains($0) || $0 >= 0x80
        }
    }

    // MARK: On this machine

    func checkPrivilegesOnHost(of sidecar: SidecarSpec, _ position: Int) {
        let privileges = sidecar.privileges
        guard privileges != PrivilegeSpec() else { return }
        checkAccounts(privileges, position)
        if !privileges.resources.isEmpty, let obstacle = files.obstacle(to: privileges.resources) {
            report(
                .resourcesNotEnforced, at: place(position, "resources"),
                "these limits are not enforced here: \(obstacle)",
                help: "see docs/how-to/users-and-limits.md, or use ulimits for what one process may take")
        }
        guard let abilities = files.abilities else { return }
        if let nice = privileges.nice, nice < abilities.lowestNice {
            report(
                .notPermitted, at: place(position, "nice"),
                "the supervisor may not set a niceness of \(nice); the lowest here is \(abilities.lowestNice)",
                help: abilities.user == 0
                    ? "give the supervisor CAP_SYS_NICE, which this root lacks, or raise its 'nice' limit"
                    : "run as root, or raise the user's 'nice' limit")
        }
        guard !abilities.mayRaiseLimits else { return }
        for limit in privileges.limits {
            guard let most = abilities.hardLimits[limit.name], max(limit.soft ?? 0, limit.hard ?? 0) > most else {
                continue
            }
            report(
                .notPermitted, at: place(position, "ulimits", limit.name.rawValue),
                "the supervisor may not raise '\(limit.name.rawValue)' above \(most), its own hard limit",
                help: abilities.user == 0
                    ? "give the supervisor CAP_SYS_RESOURCE, which this root lacks, or a higher limit"
                    : "run as root, or raise it in /etc/security/limits.conf")
        }
    }

    private func checkAccounts(_ privileges: PrivilegeSpec, _ position: Int) {
        if let user = privileges.user, isAccountName(user) {
            let answer = files.user(user)
            // A number needs no account as long as it is said which group goes with it.
            if answer == .absent, UInt32(user) == nil || privileges.group == nil {
                report(
                    .accountNotFound, at: place(position, "user"), "there is no user '\(user)' here",
                    help: UInt32(user) == nil ? "create it, or name another" : "give its 'group' too")
            }
            permit(answer.id ?? UInt32(user), own: files.abilities?.user, "user", user, position)
        }
        if let group = privileges.group, isAccountName(group) {
            let answer = files.group(group)
            if answer == .absent {
                report(
                    .accountNotFound, at: place(position, "group"), "there is no group '\(group)' here",
                    help: "create it, or name another")
            }
            permit(answer.id, own: files.abilities?.group, "group", group, position)
        }
    }

    private func permit(_ id: UInt32?, own: UInt32?, _ key: String, _ name: String, _ position: Int) {
        guard let id, let own, id != own, files.abilities?.mayChangeIdentity == false else { return }
        report(
            .notPermitted, at: place(position, key),
            "the supervisor runs as \(key == "user" ? "uid" : "gid") \(own), and may not become \(key) '\(name)'",
            help: files.abilities?.user == 0
                ? "give the supervisor CAP_SETUID and CAP_SETGID, which this root lacks, or remove '\(key)'"
                : "bring the project up as root, or remove '\(key)'")
    }
}

extension AccountAnswer {
    fileprivate var id: UInt32? { if case .known(let id) = self { id } else { nil } }
}
