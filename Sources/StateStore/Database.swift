import CSQLite3
import Glibc

/// A SQLite connection with its statements kept ready. Used by one thread at a time.
final class Database {
    enum Access {
        case create, readWrite, readOnly

        fileprivate var flags: Int32 {
            switch self {
            case .create: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .readWrite: SQLITE_OPEN_READWRITE
            case .readOnly: SQLITE_OPEN_READONLY
            }
        }
    }

    enum Value {
        case null
        case integer(Int64)
        case text(String)
        case blob([UInt8])

        init(_ number: Int64?) { self = number.map(Value.integer) ?? .null }
        init(_ string: String?) { self = string.map(Value.text) ?? .null }
    }

    /// A result row, valid only while it is handed out.
    struct Row {
        fileprivate let statement: OpaquePointer

        func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }
        func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }
        func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }
        func text(_ column: Int32) -> String { optionalText(column) ?? "" }

        func optionalText(_ column: Int32) -> String? {
            guard let bytes = sqlite3_column_text(statement, column) else { return nil }
            return String(
                decoding: UnsafeBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(statement, column))),
                as: UTF8.self)
        }

        func blob(_ column: Int32) -> [UInt8] {
            guard let bytes = sqlite3_column_blob(statement, column) else { return [] }
            return Array(
                UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(statement, column))))
        }
    }

    /// Whether connections may be used by different threads at once.
    static var isThreadSafe: Bool { sqlite3_threadsafe() != 0 }

    let path: String
    private let handle: OpaquePointer
    private var noteLog: ((Int) -> Void)?
    private var statements: [String: OpaquePointer] = [:]

    init(path: String, access: Access) throws(StoreError) {
        self.path = path
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, access.flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened else {
            let reason = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            guard !Self.isTooLong(path) else { throw .tooLong(path: path) }
            guard !Self.isForWantOfRoom(code, path) else { throw .diskFull(path: path) }
            throw .cannotOpen(path: path, reason: reason)
        }
        handle = opened
        // Only ever waited for when the log is taken up after a crash, or somebody copies the file.
        sqlite3_busy_timeout(handle, 2000)
    }

    /// SQLite's limit is 512 bytes, and it wants room for `-journal` behind each name.
    static let longestPath = 512 - 8

    /// SQLite follows links before it counts.
    private static func isTooLong(_ path: String) -> Bool {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        var length = path.utf8.count
        if let resolved = realpath(directory, nil) {
            length = max(length, strlen(resolved) + path.utf8.count - directory.utf8.count)
            free(resolved)
        }
        return length > longestPath
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    /// Calls `body` after each commit with how many pages the write-ahead log holds; what SQLite would have done of itself
    /// by then, it leaves to that.
    func watchLog(_ body: @escaping (Int) -> Void) {
        noteLog = body
        sqlite3_wal_hook(
            handle,
            { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                Unmanaged<Database>.fromOpaque(context).takeUnretainedValue().noteLog?(Int(pages))
                return SQLITE_OK
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Of the row that was inserted last.
    var lastRowID: Int64 { sqlite3_last_insert_rowid(handle) }

    /// Moves what no reader is in the way of from the write-ahead log into the file, and waits for the disk; not for
    /// whoever writes or checkpoints.
    func checkpoint() throws(StoreError) {
        let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
        guard code == SQLITE_OK || code == SQLITE_BUSY else { throw failure(code) }
    }

    /// Runs statements that take no values and answer nothing.
    func execute(_ sql: String) throws(StoreError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// Runs one statement to its end, and hands out each row.
    func run(_ sql: String, _ values: [Value] = [], row: (Row) -> Void = { _ in }) throws(StoreError) {
        let statement = try prepared(sql)
        defer { sqlite3_reset(statement) }
        for (index, value) in values.enumerated() { bind(value, at: Int32(index + 1), of: statement) }
        while true {
            let code = sqlite3_step(statement)
            switch code {
            case SQLITE_ROW: row(Row(statement: statement))
            case SQLITE_DONE: return
            default: throw failure(code)
            }
        }
    }

    private func prepared(_ sql: String) throws(StoreError) -> OpaquePointer {
        if let statement = statements[sql] { return statement }
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw failure(code) }
        statements[sql] = statement
        return statement
    }

    private func bind(_ value: Value, at index: Int32, of statement: OpaquePointer) {
        // SQLite copies at once: the Swift buffer lives only for the call.
        let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        switch value {
        case .null: sqlite3_bind_null(statement, index)
        case .integer(let number): sqlite3_bind_int64(statement, index, number)
        case .text(var text):
            _ = text.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) {
                    // An empty buffer has no address, and no address would bind NULL.
                    $0.baseAddress.map { sqlite3_bind_text(statement, index, $0, Int32(utf8.count), copied) }
                        ?? sqlite3_bind_text(statement, index, "", 0, copied)
                }
            }
        case .blob(let bytes):
            _ = bytes.withUnsafeBytes { buffer in
                buffer.baseAddress.map { sqlite3_bind_blob(statement, index, $0, Int32(buffer.count), copied) }
                    ?? sqlite3_bind_zeroblob(statement, index, 0)
            }
        }
    }

    /// Without an inode for it no file is opened, and without room for the log's index that is called an I/O error. What the
    /// kernel said is lost by then: SQLite tries again for reading.
    private static func isForWantOfRoom(_ code: Int32, _ path: String) -> Bool {
        guard [SQLITE_CANTOPEN, SQLITE_IOERR].contains(code & 0xff) else { return false }
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        var room = statvfs()
        guard access(directory, W_OK) == 0, statvfs(directory, &room) == 0 else { return false }
        return (room.f_blocks > 0 && room.f_bavail == 0) || (room.f_files > 0 && room.f_favail == 0)
    }

    private func failure(_ code: Int32) -> StoreError {
        switch code & 0xff {
        case SQLITE_CORRUPT, SQLITE_NOTADB: .damaged(path: path)
        case SQLITE_BUSY, SQLITE_LOCKED: .locked(path: path)
        case SQLITE_FULL: .diskFull(path: path)
        case _ where Self.isForWantOfRoom(code, path): .diskFull(path: path)
        default: .failed(path: path, reason: String(cString: sqlite3_errmsg(handle)))
        }
    }
}
