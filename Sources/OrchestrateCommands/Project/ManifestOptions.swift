import ArgumentParser
import CProcess
import ControlAPI
import Glibc
import ManifestLoading
import SidecarModel
import StateStore

/// The manifest a command is to read, without any project behind it.
struct ManifestOptions: ParsableArguments {
    @Argument(help: "The manifest, or - for standard input.", completion: .file(extensions: ["yaml", "yml"]))
    var path: String?

    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("The manifest; the same as the argument.", valueName: "path"))
    var file: String?

    @Flag(help: "Don't look at what depends on this machine: files, commands, users, ports.")
    var noHost = false

    func validate() throws {
        if path != nil, file != nil { throw ValidationError("Give one manifest: as the argument, or with -f.") }
        try ProjectOptions.refuseEmpty(file: path ?? file)
    }

    /// - Parameter isForPlan: false where nothing is done with the plan but to know that there is one.
    func load(interpolates: Bool = true, isForPlan: Bool = true) -> LoadedManifest {
        let options = LoadOptions(checksHost: !noHost, interpolates: interpolates, makesFingerprints: isForPlan)
        let path = path ?? file
        let environment = ProcessEnvironment.variables()
        let directory = ProcessEnvironment.workingDirectory(environment)
        if let path, let descriptor = Self.descriptor(named: path) {
            let shown = path == "-" ? "<stdin>" : path
            do throws(FileReadFailure) {
                let text = try HostFiles.readAll(from: descriptor, limit: 16 << 20)
                Self.expect(text.count)
                return loadManifest(
                    text: text, file: shown, directory: directory, environment: environment, options: options,
                    files: files(isForPlan, environment, directory) { root in
                        ManifestOwner(text: text, shownAs: shown, in: directory, environment: environment, root: root)
                    })
            } catch {
                return unreadableManifest(error, file: shown)
            }
        }
        guard let found = path ?? findManifest(from: directory) else {
            return missingManifest(ProcessEnvironment.absenceOfManifest(in: directory))
        }
        var status = stat()
        if stat(found, &status) == 0 { Self.expect(Int(status.st_size)) }
        // Shown as a person would write it.
        let shown = found.hasPrefix(directory + "/") ? String(found.dropFirst(directory.count + 1)) : found
        return loadManifest(
            path: shown, environment: environment, options: options,
            files: files(isForPlan, environment, directory) { root in
                ManifestOwner(path: absolutePath(found, from: directory), environment: environment, root: root)
            })
    }

    /// What this command was given open, as in `validate <(generate)`: it may be a pipe, as whoever calls has it written.
    private static func descriptor(named path: String) -> Int32? {
        if path == "-" || path == "/dev/stdin" { return STDIN_FILENO }
        for directory in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(directory) {
            return Int32(path.dropFirst(directory.count))
        }
        return nil
    }

    /// A manifest is taken apart into some twenty times its size. Where it is large, most of the time would go into getting
    /// that from the kernel piece by piece.
    private static func expect(_ size: Int) {
        if size > 256 << 10 { orch_memory_expect(size * 24) }
    }

    private func files(
        _ isForPlan: Bool, _ environment: [String: String], _ directory: String, owner: (StateRoot?) -> ManifestOwner
    ) -> HostFiles {
        // Of ports and limits there are only warnings, and who wants the plan shows none.
        guard !isForPlan, !noHost else { return HostFiles() }
        // Where no state can be kept there are no leases, and ports can be looked at all the same.
        let root = try? ProjectContext.root(environment, directory)
        return .lookingAtPorts(root: root, owner: owner(root))
    }
}
