/// Why the journal can't be used, with the way out.
package enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is no journal: the project was never up, or its state was removed.
    case absent(path: String)
    case cannotOpen(path: String, reason: String)
    /// SQLite opens none of that length.
    case tooLong(path: String)
    case damaged(path: String)
    case locked(path: String)
    /// Written by a newer orchestrate.
    case tooNew(path: String, schema: Int)
    case diskFull(path: String)
    /// The file system can't share memory between processes, which a write-ahead log needs.
    case noWriteAheadLog(path: String)
    case failed(path: String, reason: String)

    package var description: String {
        switch self {
        case .absent(let path):
            "there is no journal at \(path): the project has not been up"
        case .cannotOpen(let path, let reason):
            "cannot open the journal \(path): \(reason)"
        case .tooLong(let path):
            "cannot open the journal \(path): SQLite takes paths of at most \(Database.longestPath) bytes; "
                + "keep state at a shorter one by ORCHESTRATE_STATE_DIR"
        case .damaged(let path):
            "the journal \(path) is damaged; move it away (mv '\(path)' '\(path).damaged') and run the command again: "
                + "what runs is found by its spawn records, only history and restart counts are lost"
        case .locked(let path):
            "the journal \(path) is locked by another process; "
                + "see who holds it (fuser '\(path)'), end that and run the command again"
        case .tooNew(let path, let schema):
            "the journal \(path) has schema \(schema), written by a newer orchestrate: use that one, or take the project "
                + "down with it and move the journal away (mv '\(path)' '\(path).newer'): history and restart counts are lost"
        case .diskFull(let path):
            "cannot write the journal \(path): the disk is full; free some space (df -h) or inodes (df -i), and run the command "
                + "again"
        case .noWriteAheadLog(let path):
            "the file system of \(path) can't do a write-ahead log; "
                + "put the state on a local one by ORCHESTRATE_STATE_DIR"
        case .failed(let path, let reason):
            "the journal \(path) can't be used: \(reason)"
        }
    }
}
