import FoundationEssentials
import Glibc
import SidecarModel

/// A project's journal and records, in one SQLite file with a write-ahead log.
///
/// Writes belong inside `commit`, once per turn of the engine: what a turn decided is there as a whole or not at all.
/// A commit survives the end of the process, not always that of the machine. Used by one thread at a time.
package final class StateStore {
    /// Of the tables that this program reads and writes.
    package static var schemaVersion: Int { Schema.version }

    /// Transitions kept, give or take `pruneInterval`.
    package static let journalLimit: Int64 = 100_000
    private static let pruneInterval: Int64 = 1_000
    /// Of the write-ahead log: 16 MiB. Before, a commit waits for the disk only where it begins the log anew.
    private static let mostPages = 4096

    package var path: String { database.path }
    let database: Database
    /// How long the write-ahead log is. Whoever commits is to have `checkpoint` called, elsewhere, before that is much.
    package private(set) var pagesInLog = 0
    /// Of the tables that are there: an earlier one while a supervisor of that version still writes them.
    private let version: Int

    /// Opens the journal for its supervisor, creates it when it isn't there, and brings one of an earlier version up to
    /// this one.
    package init(writing path: String) throws(StoreError) {
        // The file holds the environment, which may hold secrets.
        let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if descriptor >= 0 { close(descriptor) }
        database = try Database(path: path, access: .create)
        version = Schema.version
        // While it is made there is nothing in it to lose, and waiting for a disk would be the longest part of a start.
        try database.execute("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -256")
        let found = try Self.version(of: database)
        if found != 0 { try database.execute("PRAGMA synchronous = NORMAL") }
        var mode = ""
        try database.run("PRAGMA journal_mode = WAL") { mode = $0.text(0) }
        guard mode == "wal" else { throw .noWriteAheadLog(path: path) }
        switch found {
        case 0:
            try make(Schema.tables)
            try database.execute("PRAGMA synchronous = NORMAL")
        case Schema.version: break
        case 1..<Schema.version:
            try make(Schema.migrations.dropFirst(found - 1).joined(separator: "\n"))
        case _: throw .tooNew(path: path, schema: found)
        }
        database.watchLog { [unowned self] pages in noteLog(pages) }
    }

    private func noteLog(_ pages: Int) {
        pagesInLog = pages
        // Whoever was to do it elsewhere does not keep up: then it is done here, where nothing is committed meanwhile.
        if pages >= Self.mostPages { try? database.checkpoint() }
    }

    /// Moves what was committed from the write-ahead log into the file, so that the log can begin anew. Waits for the disk,
    /// and lets the store at that path commit meanwhile, on whatever thread.
    package static func checkpoint(_ path: String) throws(StoreError) {
        guard Database.isThreadSafe else { return }
        let database = try Database(path: path, access: .readWrite)
        // Until it has read, it doesn't know that there is a log.
        _ = try version(of: database)
        try database.checkpoint()
    }

    private func make(_ statements: String) throws(StoreError) {
        try commit { () throws(StoreError) in
            try database.execute(statements)
            try database.execute("PRAGMA user_version = \(Schema.version)")
        }
    }

    /// Opens the journal to look at it, whether or not a supervisor writes to it.
    package init(reading path: String) throws(StoreError) {
        guard access(path, F_OK) == 0 else { throw .absent(path: path) }
        database = try Database(path: path, access: .readOnly)
        version = try Self.version(of: database)
        switch version {
        case 1...Schema.version: break
        case 0: throw .absent(path: path)
        case _: throw .tooNew(path: path, schema: version)
        }
    }

    private static func version(of database: Database) throws(StoreError) -> Int {
        var version = 0
        try database.run("PRAGMA user_version") { version = Int($0.integer(0)) }
        return version
    }

    /// All writes of the body, or none.
    package func commit(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        try database.run("BEGIN IMMEDIATE")
        do {
            try body()
            try database.run("COMMIT")
        } catch {
            try? database.run("ROLLBACK")
            throw error
        }
    }

    // MARK: Project

    package func project() throws(StoreError) -> ProjectRow? {
        var found: ProjectRow?
        try database.run(
            """
            SELECT identity, name, manifest, directory, working_directory, plan, environment, umask, seed, is_detached,
                is_wanted, boot_id, \(Schema.limitsColumn(in: version)) FROM project
            """
        ) { row in
            found = ProjectRow(
                identity: row.text(0), name: row.text(1), manifest: row.text(2), directory: row.text(3),
                workingDirectory: row.text(4), plan: row.blob(5),
                environment: (try? JSONDecoder().decode([String: String].self, from: Data(row.blob(6)))) ?? [:],
                umask: UInt32(truncatingIfNeeded: row.integer(7)),
                limits: (try? JSONDecoder().decode([LimitSpec].self, from: Data(row.text(12).utf8))) ?? [],
                seed: UInt64(bitPattern: row.integer(8)),
                isDetached: row.integer(9) != 0, isWanted: row.integer(10) != 0, bootID: row.text(11))
        }
        return found
    }

    package func save(_ project: ProjectRow) throws(StoreError) {
        let environment = (try? JSONEncoder().encode(project.environment)).map { [UInt8]($0) } ?? []
        let limits = (try? JSONEncoder().encode(project.limits)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
        try database.run(
            "INSERT OR REPLACE INTO project VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                .text(project.identity), .text(project.name), .text(project.manifest), .text(project.directory),
                .text(project.workingDirectory), .blob(project.plan), .blob(environment),
                .integer(Int64(project.umask)), .integer(Int64(bitPattern: project.seed)),
                .integer(project.isDetached ? 1 : 0), .integer(project.isWanted ? 1 : 0), .text(project.bootID),
                .text(limits),
            ])
    }

    /// The project is to be down. The rest of what was saved of it stays.
    package func saveEnd() throws(StoreError) { try database.run("UPDATE project SET is_wanted = 0") }

    // MARK: Instances

    /// In no particular order.
    /// - Parameter withEnded: those of the last life of a project that is down, too.
    package func instances(withEnded: Bool = false) throws(StoreError) -> [InstanceRow] {
        var found: [InstanceRow] = []
        try database.run(
            """
            SELECT sidecar, replica, state, incarnation, is_wanted, since, since_wall, started_at, restarts_total,
                consecutive_failures, last_exit, reason, until, started_fingerprint, healthy_since, recent_restarts,
                ending, pending_restart, \(Schema.deadAddressesColumn(in: version)),
                \(Schema.haltedColumn(in: version)), \(Schema.restartColumn(in: version)),
                \(Schema.initiatorColumn(in: version))
                FROM instances WHERE \(Schema.overColumn(in: version)) <= ?
            """, [.integer(withEnded ? 1 : 0)]
        ) { row in
            // A state this version does not know is read as stopped: what really runs is found by its spawn record.
            found.append(
                InstanceRow(
                    sidecar: row.text(0), replica: Int(row.integer(1)),
                    state: StateName(rawValue: row.text(2)) ?? .stopped,
                    incarnation: UInt64(bitPattern: row.integer(3)), isWanted: row.integer(4) != 0,
                    since: Instant(nanoseconds: row.integer(5)), sinceWall: row.integer(6),
                    startedAt: row.optionalInteger(7).map(Instant.init(nanoseconds:)),
                    restartsTotal: Int(row.integer(8)), consecutiveFailures: Int(row.integer(9)),
                    lastExit: row.optionalText(10).flatMap(ExitStatus.init(stored:)), reason: row.text(11),
                    until: row.optionalInteger(12).map(Instant.init(nanoseconds:)),
                    startedFingerprint: UInt64(bitPattern: row.integer(13)),
                    healthySince: row.optionalInteger(14).map(Instant.init(nanoseconds:)),
                    recentRestarts: row.text(15).split(separator: " ").compactMap { Int64($0) }
                        .map(Instant.init(nanoseconds:)),
                    ending: row.optionalText(16), pendingRestart: row.optionalText(17).flatMap(Initiator.init),
                    holdsDeadAddresses: row.integer(18) != 0, isRestartHalted: row.integer(19) != 0,
                    isRestart: row.integer(20) != 0, initiator: row.optionalText(21).flatMap(Initiator.init)))
        }
        return found
    }

    package func save(_ instance: InstanceRow) throws(StoreError) {
        try database.run(
            "INSERT OR REPLACE INTO instances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
            [
                .text(instance.sidecar), .integer(Int64(instance.replica)), .text(instance.state.rawValue),
                .integer(Int64(bitPattern: instance.incarnation)), .integer(instance.isWanted ? 1 : 0),
                .integer(instance.since.nanoseconds), .integer(instance.sinceWall),
                .init(instance.startedAt?.nanoseconds), .integer(Int64(instance.restartsTotal)),
                .integer(Int64(instance.consecutiveFailures)), .init(instance.lastExit?.stored),
                .text(instance.reason), .init(instance.until?.nanoseconds),
                .integer(Int64(bitPattern: instance.startedFingerprint)), .init(instance.healthySince?.nanoseconds),
                .text(instance.recentRestarts.map { String($0.nanoseconds) }.joined(separator: " ")),
                .init(instance.ending), .init(instance.pendingRestart?.rawValue),
                .integer(instance.holdsDeadAddresses ? 1 : 0), .integer(instance.isRestartHalted ? 1 : 0),
                .integer(instance.isRestart ? 1 : 0), .init(instance.initiator?.rawValue),
            ])
    }

    package func removeInstance(sidecar: String, replica: Int) throws(StoreError) {
        try database.run(
            "DELETE FROM instances WHERE sidecar = ? AND replica = ?", [.text(sidecar), .integer(Int64(replica))])
    }

    /// Its life is over with the project's. Who asks for those that ended is still told of it.
    package func endInstance(sidecar: String, replica: Int) throws(StoreError) {
        try database.run(
            "UPDATE instances SET is_over = 1 WHERE sidecar = ? AND replica = ?",
            [.text(sidecar), .integer(Int64(replica))])
    }

    /// The project begins anew.
    package func removeEndedInstances() throws(StoreError) {
        try database.run("DELETE FROM instances WHERE is_over = 1")
    }

    // MARK: Journal

    /// Adds an entry and answers its number.
    @discardableResult
    package func append(_ transition: TransitionRow) throws(StoreError) -> Int64 {
        try database.run(
            "INSERT INTO transitions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                .integer(transition.atWall), .integer(transition.atBoot.nanoseconds), .text(transition.sidecar),
                .integer(Int64(transition.replica)), .integer(Int64(bitPattern: transition.incarnation)),
                .text(transition.from.rawValue), .text(transition.to.rawValue), .text(transition.initiator.rawValue),
                .text(transition.cause), .init(transition.causedBy),
            ])
        // RETURNING makes a table for it each time, a tenth of a commit.
        let id = database.lastRowID
        if id % Self.pruneInterval == 0 {
            try database.run("DELETE FROM transitions WHERE id <= ?", [.integer(id - Self.journalLimit)])
        }
        return id
    }

    /// The number of the last entry, 0 when there is none.
    package func lastTransition() throws(StoreError) -> Int64 {
        var last: Int64 = 0
        try database.run("SELECT COALESCE(MAX(id), 0) FROM transitions") { last = $0.integer(0) }
        return last
    }

    /// The latest incarnation that was ever saved, 0 when none was.
    package func lastIncarnation() throws(StoreError) -> UInt64 {
        var last: Int64 = 0
        try database.run("SELECT last FROM incarnations") { last = $0.integer(0) }
        return UInt64(bitPattern: last)
    }

    package func save(lastIncarnation last: UInt64) throws(StoreError) {
        try database.run("INSERT OR REPLACE INTO incarnations VALUES (1, ?)", [.integer(Int64(bitPattern: last))])
    }

    /// Entries after a number, oldest first.
    /// - Parameter limit: the newest so many of them.
    package func transitions(
        of sidecar: String? = nil, after id: Int64 = 0, limit: Int = .max
    ) throws(StoreError) -> [TransitionRow] {
        var found: [TransitionRow] = []
        try database.run(
            """
            SELECT id, at_wall, at_boot, sidecar, replica, incarnation, from_state, to_state, initiator, cause, caused_by
                FROM transitions WHERE id > ? AND (?2 IS NULL OR sidecar = ?2) ORDER BY id DESC LIMIT ?
            """, [.integer(id), .init(sidecar), .integer(Int64(limit))]
        ) { row in
            guard let from = StateName(rawValue: row.text(6)), let to = StateName(rawValue: row.text(7)),
                let initiator = Initiator(rawValue: row.text(8))
            else { return }
            found.append(
                TransitionRow(
                    id: row.integer(0), atWall: row.integer(1), atBoot: Instant(nanoseconds: row.integer(2)),
                    sidecar: row.text(3), replica: Int(row.integer(4)),
                    incarnation: UInt64(bitPattern: row.integer(5)), from: from, to: to, initiator: initiator,
                    cause: row.text(9), causedBy: row.optionalText(10)))
        }
        return found.reversed()
    }

    // MARK: Ports

    package func ports() throws(StoreError) -> [PortRow] {
        var found: [PortRow] = []
        try database.run("SELECT sidecar, replica, name, number FROM ports") { row in
            found.append(
                PortRow(
                    sidecar: row.text(0), replica: Int(row.integer(1)), name: row.text(2),
                    number: UInt16(truncatingIfNeeded: row.integer(3))))
        }
        return found
    }

    package func save(_ port: PortRow) throws(StoreError) {
        try database.run(
            "INSERT OR REPLACE INTO ports VALUES (?, ?, ?, ?)",
            [.text(port.sidecar), .integer(Int64(port.replica)), .text(port.name), .integer(Int64(port.number))])
    }

    /// Forgets the ports of one instance, or of all.
    package func removePorts(sidecar: String? = nil, replica: Int = 0) throws(StoreError) {
        guard let sidecar else { return try database.run("DELETE FROM ports") }
        try database.run(
            "DELETE FROM ports WHERE sidecar = ? AND replica = ?", [.text(sidecar), .integer(Int64(replica))])
    }

    // MARK: Lease

    package func lease() throws(StoreError) -> LeaseRow? {
        var found: LeaseRow?
        let table = Schema.leaseTable(in: version)
        try database.run("SELECT token, pid, start_time, boot_id, taken_at FROM \(table)") { row in
            found = LeaseRow(
                token: row.text(0), pid: Int32(truncatingIfNeeded: row.integer(1)),
                startTime: UInt64(bitPattern: row.integer(2)), bootID: row.text(3), takenAt: row.integer(4))
        }
        return found
    }

    /// Replaces whatever lease there was. Nil: none.
    package func save(_ lease: LeaseRow?) throws(StoreError) {
        guard let lease else { return try database.run("DELETE FROM lease") }
        try database.run(
            "INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?, ?)",
            [
                .text(lease.token), .integer(Int64(lease.pid)), .integer(Int64(bitPattern: lease.startTime)),
                .text(lease.bootID), .integer(lease.takenAt),
            ])
    }
}

extension ExitStatus {
    /// `code 1`, `signal 9`, `memory`, `unknown`
    fileprivate var stored: String {
        switch self {
        case .code(let code): "code \(code)"
        case .signal(let signal): "signal \(signal.number)"
        case .outOfMemory: "memory"
        case .unknown: "unknown"
        }
    }

    fileprivate init?(stored: String) {
        let parts = stored.split(separator: " ")
        switch (parts.first, parts.count == 2 ? Int32(parts[1]) : nil) {
        case ("code", let code?): self = .code(code)
        case ("signal", let number?): self = .signal(Signal(number: number))
        case ("memory", nil): self = .outOfMemory
        case ("unknown", nil): self = .unknown
        default: return nil
        }
    }
}
