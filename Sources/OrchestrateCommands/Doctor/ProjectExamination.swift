import CProcess
import ControlAPI
import ControlClient
import Glibc
import StateStore
import Supervision

/// What is amiss with the state of one project.
struct ProjectExamination {
    let project: KnownProject
    private var location: ProjectLocation { project.location }
    private var area: String { "project \(location.identity)" }
    private var selector: String { "--project '\(location.identity)'" }

    init(_ project: KnownProject) { self.project = project }

    /// Of all there are, and of the ports they share.
    static func findings(of projects: [KnownProject], root: StateRoot) -> [Finding] {
        projects.filter { isOwn($0.location, root) }.flatMap { ProjectExamination($0).findings() } + ports(of: root)
    }

    /// What another user keeps elsewhere is that one's to examine.
    private static func isOwn(_ location: ProjectLocation, _ root: StateRoot) -> Bool {
        var info = stat()
        return location.stateDirectory.hasPrefix(root.path + "/")
            || stat(location.stateDirectory, &info) == 0 && info.st_uid == geteuid()
    }

    private func findings() -> [Finding] {
        var found = [supervision()]
        found += privacy()
        found.append(journal())
        if let lease = lease() { found.append(lease) }
        // What is well needs no line each.
        let remarkable = found.filter { $0.verdict != .good }
        guard remarkable.isEmpty else { return remarkable }
        // As in every list of projects, one whose first manifest was refused is none.
        return project.isSupervised || ProjectContext.hasBeenUp(location) ? Array(found.prefix(1)) : []
    }

    // MARK: Who looks after it

    private func supervision() -> Finding {
        if LivingSidecars.haveBrokenSupervisor(in: location) {
            return .wrong(
                area, "supervisor", "ended 5 times within a minute and is tried again every 10 s",
                remedy: "see \(location.supervisorLogPath)")
        }
        if let keeper = LivingSidecars.keeper(in: location), Silence.standstill(ofKeeper: keeper) != nil {
            return .wrong(
                area, "keeper",
                "pid \(keeper) is stopped (state T): nothing is started again, and nothing that ends is gone",
                remedy: "kill -CONT \(keeper)")
        }
        if project.isSupervised { return answering() }
        guard LivingSidecars.exist(in: location) else { return .good(area, "supervisor", "not running") }
        return .wrong(area, "supervisor", "gone, and what it started may still run", remedy: wayOutOfLoss)
    }

    /// Without a journal nobody knows any more what it was.
    private var wayOutOfLoss: String {
        do throws(StoreError) {
            _ = try StateStore(reading: location.journalPath)
            return "orchestrate up -d \(selector) takes it up, orchestrate down \(selector) ends it"
        } catch .absent {
            return "orchestrate up -d \(selector) ends it and starts all anew, orchestrate down \(selector) ends it"
        } catch {
            return "once its journal is moved away (below), orchestrate down \(selector) ends it"
        }
    }

    private func answering() -> Finding {
        let patience = Patience(timeout: .seconds(5))
        let report: ProjectReport
        do throws(ControlError) {
            guard let client = try ControlClient(socketPath: location.socketPath, patience: patience) else {
                return silent("lives, but nobody listens at \(location.socketPath)")
            }
            report = try client.call(Status.self, .init(), for: .atMost(.seconds(5)))
        } catch  where error.code == .conflict {
            return .wrong(area, "supervisor", "refuses to answer", remedy: error.message)
        } catch {
            return silent(error.message)
        }
        guard report.warnings.isEmpty else {
            return .notice(
                area, "supervisor", report.warnings.joined(separator: "; "), remedy: "orchestrate status \(selector)")
        }
        guard let containment = report.containment else { return .good(area, "supervisor", "running") }
        let text = "running, containment \(containment.sentence)"
        guard containment.level == Containment.Level.session.rawValue else { return .good(area, "supervisor", text) }
        return .notice(
            area, "supervisor", text + ": what leaves its session and its mark is not found",
            remedy: "orchestrate restart \(selector) NAME for what runs since then, or orchestrate down \(selector), up"
        )
    }

    /// In the words of every command that gets no answer: what is amiss, and after a line break what helps.
    private func silent(_ message: String) -> Finding {
        let parts = message.split(separator: "\n", maxSplits: 1)
        let log = "see \(location.supervisorLogPath)"
        return .wrong(
            area, "supervisor", parts.first.map(String.init) ?? message,
            remedy: parts.count > 1 ? "\(parts[1]); \(log)" : log)
    }

    // MARK: Its files

    private func privacy() -> [Finding] {
        let state = location.stateDirectory
        var found: [Finding] = []
        for (path, mode) in [
            (state, 0o700), (location.journalPath, 0o600), (location.socketPath, 0o600),
            (location.supervisorLogPath, 0o600), (location.spawnRecordsPath, 0o600), (location.logsDirectory, 0o700),
        ] {
            var info = stat()
            guard lstat(path, &info) == 0 else { continue }
            let excess = Int(info.st_mode & 0o777) & ~mode
            if info.st_mode & S_IFMT == S_IFLNK {
                found.append(.wrong(area, path, "is a link, where it should be the thing itself", remedy: "rm \(path)"))
            } else if info.st_uid != geteuid() {
                found.append(
                    .wrong(area, path, "belongs to the user \(info.st_uid)", remedy: "chown \(geteuid()) \(path)"))
            } else if excess & 0o077 != 0 {
                let shown = String(info.st_mode & 0o777, radix: 8)
                found.append(
                    .wrong(
                        area, path, "mode \(shown): others may reach it",
                        remedy: "chmod \(String(mode, radix: 8)) \(path)"))
            }
        }
        if access(state + "/spawns.old", F_OK) == 0 {
            found.append(
                .notice(
                    area, "spawns.old", "records of another boot or version, kept for inspection",
                    remedy: "rm \(state)/spawns.old"))
        }
        return found
    }

    private func journal() -> Finding {
        do throws(StoreError) {
            let store = try StateStore(reading: location.journalPath)
            _ = try store.project()
            _ = try store.instances()
            _ = try store.transitions(limit: 1)
            return .good(area, "journal", "readable")
        } catch .absent {
            return .good(area, "journal", "none yet")
        } catch {
            // Nobody takes up a project by a journal that can't be read; who runs it has what it holds in mind.
            let down = "orchestrate down \(selector)"
            return .wrong(
                area, "journal", "\(error)",
                remedy: project.isSupervised
                    ? "\(down), then move \(location.journalPath) away: the next up makes another"
                    : "move \(location.journalPath) away, then \(down) ends what may still run")
        }
    }

    // MARK: Its lease

    private func lease() -> Finding? {
        guard let store = try? StateStore(reading: location.journalPath), let lease = (try? store.lease()) ?? nil
        else { return nil }
        let isAlive =
            orch_process_lives(lease.pid, lease.startTime) != 0
            && lease.bootID == (try? ClientIdentity.own())?.bootID
        let holder = "held by pid \(lease.pid) since \(Timestamp(microseconds: lease.takenAt))"
        if isAlive { return .good(area, "lease", holder) }
        return project.isSupervised || LivingSidecars.exist(in: location)
            ? .wrong(
                area, "lease", "stale: \(holder), which is gone",
                remedy: "orchestrate down \(selector) ends the project, orchestrate up -d \(selector) keeps it")
            : .notice(
                area, "lease", "stale: \(holder), which is gone with all it held",
                remedy: "the next up replaces it; nothing needs to be done")
    }

    // MARK: What they share

    private static func ports(of root: StateRoot) -> [Finding] {
        let directory = root.portsDirectory
        guard let leases = try? PortLeases.all(in: directory), !leases.isEmpty else { return [] }
        let stale = leases.filter { access($0.lease.stateDirectory, F_OK) != 0 }
        guard !stale.isEmpty else {
            return [.good("ports", "leases", "\(leases.count) held, all by projects that have state")]
        }
        return stale.map { entry in
            .notice(
                "ports", entry.name,
                "kept for \(entry.lease.instance) of a project whose state is gone: \(entry.lease.stateDirectory)",
                remedy: "rm \(directory)/\(entry.name)")
        }
    }
}
