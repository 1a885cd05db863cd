import Glibc
import ManifestLoading
import SidecarModel
import Testing

@Suite struct HostAccessTests {
    /// A new directory that everybody may enter, gone afterwards.
    private func inDirectory(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/orchestrate-access-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer {
            for name in ["closed/file", "file", "link"] { unlink("\(directory)/\(name)") }
            rmdir(directory + "/closed")
            rmdir(directory)
        }
        try #require(chmod(directory, 0o755) == 0)
        try body(directory)
    }

    private func write(_ text: String, to path: String, mode: mode_t = 0o755) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        try #require(Glibc.write(file, text, text.utf8.count) == text.utf8.count)
        try #require(fchmod(file, mode) == 0)
    }

    @Test func `what another user may execute and enter goes by the modes along the path`() throws {
        try inDirectory { directory in
            let (file, closed) = (directory + "/file", directory + "/closed")
            let stranger = Runner(name: "stranger", user: 54_321, groups: [54_321])
            func kind(_ path: String, _ runner: Runner) -> FileKind? { HostFiles().kind(of: path, for: runner) }
            try write("", to: file, mode: 0o700)
            #expect(kind(file, stranger) == .file(isExecutable: false))
            #expect(kind(file, Runner(name: "own", user: geteuid(), groups: [])) == .file(isExecutable: true))
            try write("", to: file, mode: 0o710)
            #expect(kind(file, stranger) == .file(isExecutable: false))
            #expect(kind(file, Runner(name: "member", user: 54_321, groups: [getegid()])) == .file(isExecutable: true))
            try #require(mkdir(closed, 0o700) == 0)
            try write("", to: closed + "/file")
            #expect(kind(closed, stranger) == .directory(isAccessible: false))
            #expect(kind(closed + "/file", stranger) == .hidden)
            try #require(symlink("closed/file", directory + "/link") == 0)
            #expect(kind(directory + "/link", stranger) == .hidden)
            try #require(chmod(closed, 0o711) == 0)
            #expect(kind(directory + "/link", stranger) == .file(isExecutable: true))
            #expect(kind(closed + "/none", stranger) == nil)
        }
    }

    @Test func `the start of a program says whether the system runs it`() throws {
        try inDirectory { directory in
            let file = directory + "/file"
            for (text, flaw) in [
                ("", ProgramFlaw.unknownFormat), ("echo\n", .unknownFormat),
                ("#!/no/such\n", .interpreterNotFound("/no/such")),
                ("#! /no/such -x", .interpreterNotFound("/no/such")), ("#!/bin/sh\n", nil), ("#!/bin/sh -e", nil),
                ("#!sh\n", nil), ("#!/" + String(repeating: "x", count: 300), nil), ("\u{0}asm", nil),
            ] as [(String, ProgramFlaw?)] {
                try write(text, to: file)
                #expect(HostFiles().flaw(ofProgram: file) == flaw, "\(text.debugDescription)")
            }
            #expect(HostFiles().flaw(ofProgram: "/bin/sh") == nil)
        }
    }
}
