import ArgumentParser
import ControlAPI
import Glibc
import ManifestLoading
import SidecarModel

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write a first sidecars.yaml, with comments. Never overwrites one.",
        discussion: """
            Example:
              orchestrate init && orchestrate up
            """)

    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("Where to write it.", valueName: "path"))
    var file = "sidecars.yaml"

    func run() throws {
        if let other = Self.counterpart(of: file), access(other, F_OK) == 0 {
            throw CommandFailure(
                .conflict, "\(other) is there already, and of the two only sidecars.yaml would be read")
        }
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            guard errno == EEXIST else {
                throw CommandFailure(
                    .failed, "cannot write \(file): \(String(cString: strerror(errno)).lowercased())")
            }
            throw CommandFailure(.conflict, "\(file) is there already, and is left as it is")
        }
        defer { close(descriptor) }
        Console.write(Self.starter, to: descriptor)
        // By these names it is found without being named.
        let selector = manifestFileNames.contains(file) ? "" : " -f \(file.shellQuoted)"
        Console.print("wrote \(file.terminalSafe); next: orchestrate up\(selector.terminalSafe)")
    }

    /// The other name a manifest is found by in the same directory.
    private static func counterpart(of file: String) -> String? {
        for (name, other) in zip(manifestFileNames, manifestFileNames.reversed())
        where file == name || file.hasSuffix("/" + name) {
            return file.dropLast(name.count) + other
        }
        return nil
    }

    static let starter = """
        # What runs beside your application. Bring it up with `orchestrate up`, look at it with `orchestrate status`,
        # take it down with `orchestrate down`. `orchestrate validate` checks this file.
        version: 1

        sidecars:
          # A service is kept running. `command` is split like a shell would, but no shell runs it;
          # `shell:` instead of `command:` is a script for /bin/sh.
          web:
            command: python3 -m http.server --bind 127.0.0.1 ${ports.http}
            ports: { http: 8080-8099 }        # the first free one; $PORT and $HTTP_PORT hold it too
            health: { http: / }               # healthy when it answers
            # env: { LOG_LEVEL: debug }
            # restart: on-failure             # default: always
            # stop: { grace: 10s }            # SIGTERM, then SIGKILL after the grace

          # A task runs once to its end, here as soon as the service is healthy.
          hello:
            kind: task
            shell: echo "the web server answers on port ${sidecars.web.ports.http}"
            depends_on: [web]

        """
}
