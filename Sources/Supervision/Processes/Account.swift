import Glibc

/// A user of this machine. Looking one up may go over a network: not on the loop's thread.
package struct Account: Hashable, Sendable {
    package var name: String
    package var user: UInt32
    package var group: UInt32
    package var home: String
    package var shell: String

    /// By name, or by number. Nil: there is none.
    package static func find(_ text: String) throws(SystemError) -> Account? {
        let number = UInt32(text)
        return try look("look up the user '\(text)'") { (entry: inout passwd, buffer, size, found) in
            number.map { getpwuid_r($0, &entry, buffer, size, &found) }
                ?? getpwnam_r(text, &entry, buffer, size, &found)
        } read: { entry in
            Account(
                name: String(cString: entry.pw_name), user: entry.pw_uid, group: entry.pw_gid,
                home: String(cString: entry.pw_dir), shell: String(cString: entry.pw_shell))
        }
    }

    /// The number of a group, by name or by number. Nil: there is none of that name.
    package static func findGroup(_ text: String) throws(SystemError) -> UInt32? {
        if let number = UInt32(text) { return number }
        return try look("look up the group '\(text)'") { (entry: inout group, buffer, size, found) in
            getgrnam_r(text, &entry, buffer, size, &found)
        } read: {
            $0.gr_gid
        }
    }

    /// Every group the user is a member of, with this one in place of its own.
    package func groups(with group: UInt32) -> [UInt32] {
        var count: Int32 = 64
        while true {
            var groups = [UInt32](repeating: 0, count: Int(count))
            let room = count
            if getgrouplist(name, group, &groups, &count) >= 0 { return Array(groups.prefix(Int(count))) }
            // Fewer than there was room for is no answer to go on with.
            guard count > room else { return [group] }
        }
    }

    private static func look<Entry, Answer>(
        _ what: String,
        _ ask: (inout Entry, UnsafeMutablePointer<CChar>, Int, inout UnsafeMutablePointer<Entry>?) -> Int32,
        read: (Entry) -> Answer
    ) throws(SystemError) -> Answer? {
        var size = 4096
        while size <= 1 << 20 {
            let memory = UnsafeMutablePointer<CChar>.allocate(capacity: size)
            let entry = UnsafeMutablePointer<Entry>.allocate(capacity: 1)
            defer {
                memory.deallocate()
                entry.deallocate()
            }
            var found: UnsafeMutablePointer<Entry>?
            let failure = ask(&entry.pointee, memory, size, &found)
            if failure == ERANGE {
                size *= 2
                continue
            }
            if let found { return read(found.pointee) }
            // What the services for names answer when they know of none.
            guard [0, ENOENT, ESRCH, EBADF, EPERM].contains(failure) else {
                throw SystemError(call: what, errno: failure)
            }
            return nil
        }
        throw SystemError(call: what, errno: ERANGE)
    }
}
