import CProcess
import Glibc
import SidecarModel
import Supervision
import Testing

/// Whom a child runs as, with what limits and secrets: asked of the child itself.
@Suite(.serialized) struct IdentityTests {
    private static let isRoot = getuid() == 0

    private func privileges(_ change: (inout PrivilegeSpec) -> Void) -> ProcessIdentity {
        var privileges = PrivilegeSpec()
        change(&privileges)
        return ProcessIdentity(
            privileges, accountVariables: privileges.user == nil ? [] : ProcessIdentity.AccountVariable.allCases)
    }

    @Test func `a child gets its umask, niceness and limits`() throws {
        // Who is no root can only become nicer than it is.
        let nice = max(7, getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0))
        let script = "umask; nice; ulimit -Sc; ulimit -Hc; ulimit -Sn; grep NoNewPrivs /proc/self/status | cut -f2"
        let lines = try SpawnBench().output(of: script) { request in
            request.umask = 0o027
            request.identity = privileges {
                $0.nice = Int(nice)
                $0.gainsNoPrivileges = true
                $0.limits = [
                    LimitSpec(.core, soft: 0, hard: 0), LimitSpec(.openFiles, soft: 77, hard: nil),
                ]
            }
        }
        #expect(lines == ["0027", "\(nice)", "0", "0", "77", "1"])
    }

    @Test func `the side of a limit that is not said stays as it is inherited`() throws {
        var own = orch_limit(number: LimitName.openFiles.number, soft: 0, hard: 0)
        try #require(orch_limit_look(&own) == 0)
        let lines = try SpawnBench().output(of: "ulimit -Hn; ulimit -Sn") { request in
            request.identity = privileges { $0.limits = [LimitSpec(.openFiles, soft: 50, hard: nil)] }
        }
        #expect(lines == [own.hard == LimitSpec.unlimited ? "unlimited" : "\(own.hard)", "50"])
        let lowered = try SpawnBench().output(of: "ulimit -Hn; ulimit -Sn") { request in
            request.identity = privileges { $0.limits = [LimitSpec(.openFiles, soft: nil, hard: 40)] }
        }
        #expect(lowered == ["40", "40"])
    }

    @Test(.enabled(if: isRoot, "becoming another user needs root"))
    func `a child runs as another user with that one's groups and home`() throws {
        let bench = try SpawnBench()
        chmod(bench.directory, 0o755)
        let lines = try bench.output(of: "id -un; id -gn; id -Gn; echo $HOME $USER $LOGNAME $SHELL") { request in
            request.identity = privileges { $0.user = "nobody" }
        }
        #expect(lines == ["nobody", "nogroup", "nogroup", "/nonexistent nobody nobody /usr/sbin/nologin"])
        let other = try bench.output(of: "id -u; id -g; id -G") { request in
            request.identity = privileges {
                $0.user = "nobody"
                $0.group = "daemon"
            }
        }
        #expect(other[0] == "65534")
        #expect(other[1] == "1")
        #expect(Set(other[2].split(separator: " ")).isSuperset(of: ["1"]))
        // Root's own groups are not passed on.
        #expect(!other[2].split(separator: " ").contains("0"))
        let numbers = try bench.output(of: "id -u; id -g; id -G; echo $HOME $USER") { request in
            request.identity = privileges {
                $0.user = "54321"
                $0.group = "54322"
            }
        }
        #expect(numbers == ["54321", "54322", "54322", "/ 54321"])
    }

    @Test(.enabled(if: isRoot, "becoming another user needs root")) func `a child of another user can't come back`()
        throws
    {
        let bench = try SpawnBench()
        chmod(bench.directory, 0o755)
        let lines = try bench.output(of: "grep -E 'Uid|CapEff' /proc/self/status | cut -f2-") { request in
            request.identity = privileges { $0.user = "nobody" }
        }
        #expect(lines == ["65534\t65534\t65534\t65534", "0000000000000000"])
    }

    @Test(.enabled(if: isRoot, "becoming another user needs root")) func `its FIFO becomes its user's`() throws {
        let bench = try SpawnBench()
        chmod(bench.directory, 0o755)
        let lines = try bench.output(of: "echo again >/dev/stderr; stat -Lc '%U %a' /proc/self/fd/1") { request in
            request.identity = privileges { $0.user = "nobody" }
        }
        #expect(lines[0] == "again")
        #expect(lines[1].hasPrefix("nobody "))
    }

    @Test func `who is not there is the step and the name`() throws {
        let answer = try SpawnBench().spawn(["true"]) { $0.identity = privileges { $0.user = "no-such-user" } }
        guard case .failure(let failure) = answer else { return #expect(Bool(false)) }
        #expect(failure.step == .identity)
        #expect(failure.message == "cannot find the user 'no-such-user': there is none on this machine")
        let group = try SpawnBench().spawn(["true"]) { $0.identity = privileges { $0.group = "no-such-group" } }
        guard case .failure(let failure) = group else { return #expect(Bool(false)) }
        #expect(failure.message == "cannot find the group 'no-such-group': there is none on this machine")
    }

    @Test func `a limit that nobody may have is named`() throws {
        // Above fs.nr_open, which binds root too.
        let answer = try SpawnBench().spawn(["true"]) { request in
            request.identity = privileges { $0.limits = [LimitSpec(.openFiles, soft: 1 << 40, hard: 1 << 40)] }
        }
        guard case .failure(let failure) = answer else { return #expect(Bool(false)) }
        #expect(failure.step == .limits)
        #expect(failure.errno == EPERM)
        #expect(failure.message.hasPrefix("cannot set the limit 'nofile' to 1099511627776: operation not permitted"))
    }

    @Test(.enabled(if: !isRoot, "root may become anybody"))
    func `an ordinary user can be nobody else, and says at which step`() throws {
        let answer = try SpawnBench().spawn(["true"]) { $0.identity = privileges { $0.user = "root" } }
        guard case .failure(let failure) = answer else { return #expect(Bool(false)) }
        #expect(failure.step == .identity)
        #expect(failure.errno == EPERM)
    }

    @Test(.enabled(if: isRoot, "becoming another user needs root")) func `a directory the user can't enter is refused`()
        throws
    {
        // The bench's directory is 0700 and root's.
        let answer = try SpawnBench().spawn(["true"]) { $0.identity = privileges { $0.user = "nobody" } }
        guard case .failure(let failure) = answer else { return #expect(Bool(false)) }
        #expect(failure.step == .directory)
        #expect(failure.errno == EACCES)
    }

    @Test(.enabled(if: isRoot, "becoming another user needs root"))
    func `a program is looked for on behind a directory of PATH that the user can't enter`() throws {
        let bench = try SpawnBench()
        chmod(bench.directory, 0o755)
        let (closed, open) = (bench.directory + "/closed", bench.directory + "/open")
        defer {
            for directory in [closed, open] {
                unlink(directory + "/tool")
                rmdir(directory)
            }
        }
        mkdir(closed, 0o700)
        mkdir(open, 0o755)
        bench.write("closed/tool", "#!/bin/sh\nexit 1\n", mode: 0o755)
        bench.write("open/tool", "#!/bin/sh\nexit 0\n", mode: 0o755)
        let paths = [("\(closed):\(open)", true), ("/none:\(closed):open", true), ("\(closed):/none", false)]
        for (path, isFound) in paths {
            let answer = try bench.spawn(["tool"]) { request in
                request.environment = ["PATH=/bin", "PATH=\(path)"]
                request.identity = privileges { $0.user = "nobody" }
            }
            switch answer {
            case .success: #expect(isFound)
            case .failure(let failure):
                #expect(!isFound)
                #expect(failure.step == .execute)
                #expect(failure.errno == EACCES)
            }
        }
    }

    @Test func `secrets lie in files for the process alone`() throws {
        let bench = try SpawnBench()
        let directory = bench.directory + "/credentials/a.0"
        let old = umask(0)
        defer {
            umask(old)
            CredentialFiles.removeAll(in: bench.directory + "/credentials")
        }
        let bytes: [UInt8] = [0, 1, 255, 10, 65, 10]
        for _ in 0..<2 {
            let lines = try bench.output(of: "stat -c '%a %s' \(directory)/key; stat -c %a \(directory)") { request in
                request.credentials = CredentialFiles(directory: directory, files: [("key", bytes)])
            }
            #expect(lines == ["400 6", "700"])
        }
        let lines = try bench.output(of: "cat \(directory)/key") { request in
            request.credentials = CredentialFiles(directory: directory, files: [("key", Array("other\n".utf8))])
        }
        #expect(lines == ["other"])
    }

    @Test(.enabled(if: isRoot, "becoming another user needs root"))
    func `the files of another user's process are that user's`() throws {
        let bench = try SpawnBench()
        chmod(bench.directory, 0o755)
        let directory = bench.directory + "/credentials/a.0"
        defer { CredentialFiles.removeAll(in: bench.directory + "/credentials") }
        let lines = try bench.output(
            of:
                "stat -c '%a %U' \(directory)/key; stat -c '%a %U %G' \(directory); ls \(directory); cat \(directory)/key"
        ) { request in
            request.identity = privileges { $0.user = "nobody" }
            request.credentials = CredentialFiles(
                directory: directory, isShared: true, files: [("key", Array("s3cret\n".utf8))])
        }
        #expect(lines == ["400 nobody", "750 root nogroup", "key", "s3cret"])
    }

    @Test(.enabled(if: isRoot, "becoming another user needs root"))
    func `a link in the place of a secret is not followed`() throws {
        let bench = try SpawnBench()
        let directory = bench.directory + "/credentials/a.0"
        bench.write("file", "untouched", mode: 0o600)
        defer { CredentialFiles.removeAll(in: bench.directory + "/credentials") }
        try Directory.create(directory)
        symlink(bench.directory + "/file", directory + "/key")
        let lines = try bench.output(of: "cat \(directory)/key file; echo") { request in
            request.credentials = CredentialFiles(directory: directory, files: [("key", Array("new\n".utf8))])
        }
        #expect(lines == ["new", "untouched"])
    }
}
