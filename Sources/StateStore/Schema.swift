/// The tables, and the version of them that this program writes.
enum Schema {
    static let version = 1

    /// What programs of the same version did not all have: made where it is missing, and of no interest to the others.
    static let additions = """
        CREATE TABLE IF NOT EXISTS good_runs (
            sidecar TEXT PRIMARY KEY,
            at_wall INTEGER NOT NULL,
            fingerprints TEXT NOT NULL
        ) WITHOUT ROWID;
        """

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
            boot_id TEXT NOT NULL
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
        CREATE TABLE ports (
            sidecar TEXT NOT NULL,
            replica INTEGER NOT NULL,
            name TEXT NOT NULL,
            number INTEGER NOT NULL,
            PRIMARY KEY (sidecar, replica, name)
        ) WITHOUT ROWID;
        CREATE TABLE leases (
            token TEXT PRIMARY KEY,
            pid INTEGER NOT NULL,
            start_time INTEGER NOT NULL,
            boot_id TEXT NOT NULL,
            taken_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        """
}
