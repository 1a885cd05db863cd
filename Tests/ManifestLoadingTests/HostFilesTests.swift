import Glibc
import ManifestLoading
import SidecarModel
import Testing

@Suite struct HostFilesTests {
    /// A new directory with a FIFO and a socket in it, gone afterwards.
    private func inDirectory(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/orchestrate-files-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer {
            for name in ["fifo", "socket", ".env", "sidecars.yaml"] { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }
        try #require(mkfifo(directory + "/fifo", 0o600) == 0)
        try #require(mknod(directory + "/socket", S_IFSOCK | 0o600, 0) == 0)
        try body(directory)
    }

    @Test func `what may never end is not read, and holds nobody up`() throws {
        try inDirectory { directory in
            for (path, name) in [
                ("\(directory)/fifo", "a FIFO"), ("\(directory)/socket", "a socket"), ("/dev/zero", "a device"),
            ] {
                #expect(throws: FileReadFailure.notAFile(name)) { try HostFiles().read(path, limit: 100) }
            }
            let nothing = try HostFiles().read("/dev/null", limit: 100)
            #expect(nothing == [])
        }
    }

    @Test func `a FIFO as manifest, env_file or dotenv is refused as that`() throws {
        try inDirectory { directory in
            let manifest = loadManifest(path: directory + "/fifo", environment: [:], files: HostFiles())
            #expect(
                manifest.diagnostics.map(\.message) == [
                    "cannot read the manifest \(directory)/fifo: it is a FIFO, not a file"
                ])
            try #require(symlink("fifo", directory + "/.env") == 0)
            let loaded = loadManifest(
                text: Array("sidecars: { web: { command: [/bin/sh, '${X}'], env_file: fifo } }".utf8), file: "m",
                directory: directory, environment: [:], files: HostFiles())
            #expect(
                loaded.diagnostics.map(\.message) == [
                    "cannot read \(directory)/.env: it is a FIFO, not a file",
                    "cannot read \(directory)/fifo: it is a FIFO, not a file",
                ])
        }
    }
}
