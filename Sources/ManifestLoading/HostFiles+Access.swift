import Glibc
import SidecarModel

/// What others than this process may do with the files of this machine, and what the kernel makes of them.
extension HostFiles {
    package func mayRead(_ path: String) -> Bool { access(path, R_OK) == 0 || errno != EACCES }

    package func runner(user name: String, group: String?) -> Runner? {
        guard abilities?.mayChangeIdentity == true else { return nil }
        let account = UInt32(name).map(getpwuid) ?? getpwnam(name)
        guard let user = account?.pointee.pw_uid ?? UInt32(name) else { return nil }
        var wanted = account?.pointee.pw_gid
        if let group { if case .known(let id) = self.group(group) { wanted = id } else { return nil } }
        // Root stays root in any group, and who changes nothing may what we may.
        guard let wanted, user != 0, user != geteuid() || wanted != getegid() else { return nil }
        var groups = [gid_t](repeating: 0, count: 1 << 10)
        var count = Int32(groups.count)
        guard let account, getgrouplist(account.pointee.pw_name, wanted, &groups, &count) >= 0 else {
            return Runner(name: name, user: user, groups: [wanted])
        }
        return Runner(name: name, user: user, groups: Array(groups.prefix(Int(count))))
    }

    package func kind(of path: String, for runner: Runner?) -> FileKind? {
        let found = kind(of: path)
        guard let runner, found != nil else { return found }
        // Both the links on the way and what they lead to.
        for way in [path, canonicalPath(path) ?? path] {
            var directory = way
            while directory != "/" {
                directory = parentDirectory(of: directory)
                guard runner.mayExecute(directory) else { return .hidden }
            }
        }
        return switch found {
        case .file(isExecutable: true): .file(isExecutable: runner.mayExecute(path))
        case .directory(isAccessible: true): .directory(isAccessible: runner.mayExecute(path))
        case .file, .directory, .other, .hidden, nil: found
        }
    }

    package func flaw(ofProgram path: String) -> ProgramFlaw? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        // Who may execute it need not be able to read it.
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // As much as the kernel looks at.
        let start = [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
            count = max(0, Glibc.read(descriptor, buffer.baseAddress, buffer.count))
        }
        guard start.starts(with: [UInt8(ascii: "#"), UInt8(ascii: "!")]) else {
            // What has a NUL may be a format that somebody registered.
            return start.contains(0) ? nil : .unknownFormat
        }
        let blank = [UInt8(ascii: " "), UInt8(ascii: "\t")]
        let line = start.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }.drop(while: blank.contains)
        let name = String(decoding: line.prefix { !blank.contains($0) }, as: UTF8.self)
        // A relative one starts wherever the program is started; one that is cut off is not known.
        guard name.hasPrefix("/"), name.utf8.count < line.count || line.endIndex < start.endIndex else { return nil }
        return kind(of: name) == nil ? .interpreterNotFound(name) : nil
    }

    package var longestArgument: Int? { 32 * sysconf(Int32(_SC_PAGESIZE)) - 1 }
}

extension Runner {
    /// By the mode of what the path leads to: an access list that lets this one user in is not seen.
    fileprivate func mayExecute(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return true }
        let bit: mode_t =
            if status.st_uid == user { S_IXUSR } else if groups.contains(status.st_gid) { S_IXGRP } else { S_IXOTH }
        return status.st_mode & bit != 0
    }
}
