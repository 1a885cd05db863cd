/// The tables, and the version of them that this program writes.
enum Schema {
    static let version = migrations.count + 1

    /// What brings a journal of each earlier version, from 1 on, to the next one. All that are needed run in one commit: a
    /// journal is of the old version as a whole or of this one.
    static let migrations = [
        // There were programs of version 1 that kept no good runs. A project has one lease: its table says so.
        """
        CREATE TABLE IF NOT EXISTS good_runs (
            sidecar TEXT PRIMARY KEY,
            at_wall INTEGER NOT NULL,
            fingerprints TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE lease (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            token TEXT NOT NULL,
            pid INTEGER NOT NULL,
            start_time INTEGER NOT NULL,
            boot_id TEXT NOT NULL,
            taken_at INTEGER NOT NULL
        );
        INSERT INTO lease SELECT 1, token, pid, start_time, boot_id, taken_at FROM leases LIMIT 1;
        DROP TABLE leases;
        """,
        // Looked for among all transitions, it took a start as long as the journal was.
        """
        CREATE TABLE incarnations (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            last INTEGER NOT NULL
        );
        INSERT INTO incarnations SELECT 1, COALESCE(MAX(incarnation), 0) FROM
            (SELECT incarnation FROM transitions UNION ALL SELECT incarnation FROM instances);
        """,
        // A supervisor kept its own limits, and forgot its instances when the project was down.
        """
        ALTER TABLE project ADD COLUMN limits TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE instances ADD COLUMN is_over INTEGER NOT NULL DEFAULT 0;
        """,
        // A restart that something failed before was forgotten, with the dead addresses it was for.
        """
        ALTER TABLE instances ADD COLUMN holds_dead_addresses INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE instances ADD COLUMN is_restart_halted INTEGER NOT NULL DEFAULT 0;
        """,
        // Who had asked for a stop was forgotten, and whether what waits to start is a restart.
        """
        ALTER TABLE instances ADD COLUMN is_restart INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE instances ADD COLUMN initiator TEXT;
        """,
    ]

    /// Where a journal of that version keeps the lease: whoever only reads one leaves its version as it is.
    static func leaseTable(in version: Int) -> String { version < 2 ? "leases" : "lease" }

    /// What is read as the project's limits.
    static func limitsColumn(in version: Int) -> String { version < 4 ? "'[]'" : "limits" }

    /// What is read as whether an instance is one of a life of the project that is over.
    static func overColumn(in version: Int) -> String { version < 4 ? "0" : "is_over" }

    /// What is read as whether an instance was started with addresses that are others now.
    static func deadAddressesColumn(in version: Int) -> String { version < 5 ? "0" : "holds_dead_addresses" }

    /// What is read as whether something failed before it could be restarted.
    static func haltedColumn(in version: Int) -> String { version < 5 ? "0" : "is_restart_halted" }

    /// What is read as whether its next start is a restart.
    static func restartColumn(in version: Int) -> String { version < 6 ? "0" : "is_restart" }

    /// What is read as who asked for what is under way.
    static func initiatorColumn(in version: Int) -> String { version < 6 ? "NULL" : "initiator" }

    static let tables = """
        CREATE TABLE project (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            identity TEXT NOT NULL,
            name TEXT NOT NULL,
            manifest TEXT NOT NULL,
            directory TEXT NOT NULL,
            working_directory TEXT NOT NULL,
            plan BLOB NOT NULL,
            environment BLOB NOT NULL,
            umask INTEGER NOT NULL,
            seed INTEGER NOT NULL,
            is_detached INTEGER NOT NULL,
            is_wanted INTEGER NOT NULL,
            boot_id TEXT NOT NULL,
            limits TEXT NOT NULL DEFAULT '[]'
        );
        CREATE TABLE instances (
            sidecar TEXT NOT NULL,
            replica INTEGER NOT NULL,
            state TEXT NOT NULL,
            incarnation INTEGER NOT NULL,
            is_wanted INTEGER NOT NULL,
            since INTEGER NOT NULL,
            since_wall INTEGER NOT NULL,
            started_at INTEGER,
            restarts_total INTEGER NOT NULL,
            consecutive_failures INTEGER NOT NULL,
            last_exit TEXT,
            reason TEXT NOT NULL,
            until INTEGER,
            started_fingerprint INTEGER NOT NULL,
            healthy_since INTEGER,
            recent_restarts TEXT NOT NULL,
            ending TEXT,
            pending_restart TEXT,
            is_over INTEGER NOT NULL DEFAULT 0,
            holds_dead_addresses INTEGER NOT NULL DEFAULT 0,
            is_restart_halted INTEGER NOT NULL DEFAULT 0,
            is_restart INTEGER NOT NULL DEFAULT 0,
            initiator TEXT,
            PRIMARY KEY (sidecar, replica)
        ) WITHOUT ROWID;
        CREATE TABLE transitions (
            id INTEGER PRIMARY KEY,
            at_wall INTEGER NOT NULL,
            at_boot INTEGER NOT NULL,
            sidecar TEXT NOT NULL,
            replica INTEGER NOT NULL,
            incarnation INTEGER NOT NULL,
            from_state TEXT NOT NULL,
            to_state TEXT NOT NULL,
            initiator TEXT NOT NULL,
            cause TEXT NOT NULL,
            caused_by TEXT
        );
        CREATE TABLE incarnations (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            last INTEGER NOT NULL
        );
        CREATE TABLE ports (
            sidecar TEXT NOT NULL,
            replica INTEGER NOT NULL,
            name TEXT NOT NULL,
            number INTEGER NOT NULL,
            PRIMARY KEY (sidecar, replica, name)
        ) WITHOUT ROWID;
        CREATE TABLE lease (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            token TEXT NOT NULL,
            pid INTEGER NOT NULL,
            start_time INTEGER NOT NULL,
            boot_id TEXT NOT NULL,
            taken_at INTEGER NOT NULL
        );
        CREATE TABLE good_runs (
            sidecar TEXT PRIMARY KEY,
            at_wall INTEGER NOT NULL,
            fingerprints TEXT NOT NULL
        ) WITHOUT ROWID;
        """
}
