import CSQLite3
import Glibc
import SidecarModel
import StateStore
import Testing

/// Journals of earlier versions, as the programs of that time made them. What stands here is not changed any more.
@Suite struct MigrationTests {
    private static let versionOne = """
        CREATE TABLE project (
            id INTEGER PRIMARY KEY CHECK (id = 1), identity TEXT NOT NULL, name TEXT NOT NULL, manifest TEXT NOT NULL,
            directory TEXT NOT NULL, working_directory TEXT NOT NULL, plan BLOB NOT NULL, environment BLOB NOT NULL,
            umask INTEGER NOT NULL, seed INTEGER NOT NULL, is_detached INTEGER NOT NULL, is_wanted INTEGER NOT NULL,
            boot_id TEXT NOT NULL
        );
        CREATE TABLE instances (
            sidecar TEXT NOT NULL, replica INTEGER NOT NULL, state TEXT NOT NULL, incarnation INTEGER NOT NULL,
            is_wanted INTEGER NOT NULL, since INTEGER NOT NULL, since_wall INTEGER NOT NULL, started_at INTEGER,
            restarts_total INTEGER NOT NULL, consecutive_failures INTEGER NOT NULL, last_exit TEXT,
            reason TEXT NOT NULL, until INTEGER, started_fingerprint INTEGER NOT NULL, healthy_since INTEGER,
            recent_restarts TEXT NOT NULL, ending TEXT, pending_restart TEXT, PRIMARY KEY (sidecar, replica)
        ) WITHOUT ROWID;
        CREATE TABLE transitions (
            id INTEGER PRIMARY KEY, at_wall INTEGER NOT NULL, at_boot INTEGER NOT NULL, sidecar TEXT NOT NULL,
            replica INTEGER NOT NULL, incarnation INTEGER NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL,
            initiator TEXT NOT NULL, cause TEXT NOT NULL, caused_by TEXT
        );
        CREATE TABLE ports (
            sidecar TEXT NOT NULL, replica INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
            PRIMARY KEY (sidecar, replica, name)
        ) WITHOUT ROWID;
        CREATE TABLE leases (
            token TEXT PRIMARY KEY, pid INTEGER NOT NULL, start_time INTEGER NOT NULL, boot_id TEXT NOT NULL,
            taken_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        PRAGMA journal_mode = WAL;
        PRAGMA user_version = 1;
        """

    private static let content = """
        INSERT INTO project VALUES
            (1, '/p/sidecars.yaml', 'p', '/p/sidecars.yaml', '/p', '/', x'01', '{"A":"b"}', 18, 5, 0, 1, 'boot');
        INSERT INTO instances VALUES
            ('db', 0, 'healthy', 7, 1, 1, 2, 3, 4, 5, 'code 1', 'x', NULL, 9, 10, '', NULL, NULL);
        INSERT INTO transitions VALUES (3, 1, 2, 'db', 0, 6, 'starting', 'healthy', 'probe', 'ready', NULL);
        INSERT INTO ports VALUES ('db', 0, 'sql', 5432);
        INSERT INTO leases VALUES ('token', 11, 12, 'boot', 13);
        """

    private static let toVersionTwo = """
        CREATE TABLE good_runs (sidecar TEXT PRIMARY KEY, at_wall INTEGER NOT NULL, fingerprints TEXT NOT NULL)
            WITHOUT ROWID;
        INSERT INTO good_runs VALUES ('db', 1, '');
        CREATE TABLE lease (
            id INTEGER PRIMARY KEY CHECK (id = 1), token TEXT NOT NULL, pid INTEGER NOT NULL,
            start_time INTEGER NOT NULL, boot_id TEXT NOT NULL, taken_at INTEGER NOT NULL
        );
        INSERT INTO lease SELECT 1, token, pid, start_time, boot_id, taken_at FROM leases LIMIT 1;
        DROP TABLE leases;
        PRAGMA user_version = 2;
        """

    private static let toVersionThree = """
        CREATE TABLE incarnations (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL);
        INSERT INTO incarnations SELECT 1, COALESCE(MAX(incarnation), 0) FROM
            (SELECT incarnation FROM transitions UNION ALL SELECT incarnation FROM instances);
        PRAGMA user_version = 3;
        """

    private static let toVersionFour = """
        ALTER TABLE project ADD COLUMN limits TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE instances ADD COLUMN is_over INTEGER NOT NULL DEFAULT 0;
        PRAGMA user_version = 4;
        """

    private static let toVersionFive = """
        ALTER TABLE instances ADD COLUMN holds_dead_addresses INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE instances ADD COLUMN is_restart_halted INTEGER NOT NULL DEFAULT 0;
        PRAGMA user_version = 5;
        """

    private static let lease = LeaseRow(token: "token", pid: 11, startTime: 12, bootID: "boot", takenAt: 13)

    private static func run(_ sql: String, in path: String) throws {
        var database: OpaquePointer?
        try #require(sqlite3_open(path, &database) == SQLITE_OK)
        defer { sqlite3_close(database) }
        try #require(sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK)
    }

    @Test func `a journal of version 1 is taken over with all it holds`() throws {
        let shelf = try Shelf()
        try Self.run(Self.versionOne + Self.content, in: shelf.journal)
        for _ in 0..<2 {
            let store = try StateStore(writing: shelf.journal)
            #expect(try store.project()?.environment == ["A": "b"])
            #expect(try store.instances().map(\.incarnation) == [7])
            #expect(try store.transitions().map(\.id) == [3])
            #expect(try store.ports() == [PortRow(sidecar: "db", replica: 0, name: "sql", number: 5432)])
            #expect(try store.lease() == Self.lease)
            #expect(try store.lastIncarnation() == 7)
        }
        let store = try StateStore(writing: shelf.journal)
        try store.save(LeaseRow?.none)
        #expect(try store.lease() == nil)
        try store.save(GoodRunRow(sidecar: "db", atWall: 1, fingerprints: []))
        #expect(store.goodRun(of: "db") != nil)
        try store.save(lastIncarnation: 8)
        #expect(try store.lastIncarnation() == 8)
    }

    @Test func `a journal of version 2 is taken over with all it holds`() throws {
        let shelf = try Shelf()
        let versionTwo = Self.versionOne + Self.content + Self.toVersionTwo
        try Self.run(versionTwo, in: shelf.journal)
        for _ in 0..<2 {
            let store = try StateStore(writing: shelf.journal)
            #expect(try store.lastIncarnation() == 7)
            #expect(try store.lease() == Self.lease)
            #expect(store.goodRun(of: "db") != nil)
        }
    }

    @Test func `a journal of version 3 is taken over, and had no limits`() throws {
        let shelf = try Shelf()
        let versionThree = Self.versionOne + Self.content + Self.toVersionTwo + Self.toVersionThree
        try Self.run(versionThree, in: shelf.journal)
        #expect(try StateStore(reading: shelf.journal).project()?.limits == [])
        let store = try StateStore(writing: shelf.journal)
        var project = try #require(try store.project())
        #expect(project.limits == [])
        project.limits = [LimitSpec(.core, soft: 0, hard: LimitSpec.unlimited)]
        try store.save(project)
        #expect(try StateStore(reading: shelf.journal).project() == project)
    }

    @Test func `a journal of version 4 is taken over, and knew nothing of dead addresses`() throws {
        let shelf = try Shelf()
        let versionThree = Self.versionOne + Self.content + Self.toVersionTwo + Self.toVersionThree
        try Self.run(versionThree + Self.toVersionFour, in: shelf.journal)
        #expect(try StateStore(reading: shelf.journal).instances().map(\.holdsDeadAddresses) == [false])
        let store = try StateStore(writing: shelf.journal)
        var instance = try #require(try store.instances().first)
        instance.holdsDeadAddresses = true
        try store.save(instance)
        #expect(try StateStore(reading: shelf.journal).instances() == [instance])
    }

    @Test func `a journal of version 5 is taken over, and did not say who asked for what`() throws {
        let shelf = try Shelf()
        let versionThree = Self.versionOne + Self.content + Self.toVersionTwo + Self.toVersionThree
        try Self.run(versionThree + Self.toVersionFour + Self.toVersionFive, in: shelf.journal)
        #expect(try StateStore(reading: shelf.journal).instances().map(\.initiator) == [nil])
        let store = try StateStore(writing: shelf.journal)
        var instance = try #require(try store.instances().first)
        (instance.isRestart, instance.initiator) = (true, .user)
        try store.save(instance)
        #expect(try StateStore(reading: shelf.journal).instances() == [instance])
    }

    @Test func `a journal of version 1 that is only read stays what its supervisor expects`() throws {
        let shelf = try Shelf()
        try Self.run(Self.versionOne + Self.content, in: shelf.journal)
        #expect(try StateStore(reading: shelf.journal).lease() == Self.lease)
        #expect(try StateStore(reading: shelf.journal).instances().map(\.incarnation) == [7])
        try Self.run("SELECT token FROM leases", in: shelf.journal)
    }

    @Test func `a change of form that fails leaves the journal as it was`() throws {
        let shelf = try Shelf()
        try Self.run(Self.versionOne + Self.content + "CREATE TABLE lease (id INTEGER);", in: shelf.journal)
        #expect(throws: StoreError.self) { try StateStore(writing: shelf.journal) }
        #expect(try StateStore(reading: shelf.journal).lease() == Self.lease)
    }

    @Test func `a journal of a later version is refused with the way out`() throws {
        let shelf = try Shelf()
        _ = try StateStore(writing: shelf.journal)
        let later = StateStore.schemaVersion + 1
        try Self.run("PRAGMA user_version = \(later)", in: shelf.journal)
        let refusal = StoreError.tooNew(path: shelf.journal, schema: later)
        #expect(throws: refusal) { try StateStore(writing: shelf.journal) }
        #expect(throws: refusal) { try StateStore(reading: shelf.journal) }
        #expect("\(refusal)".contains("mv '\(shelf.journal)' '\(shelf.journal).newer'"))
    }
}
