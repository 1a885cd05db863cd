import ChaosKit

/// What the tests of `stdio: per_client` run.
enum PerClientSidecars {
    /// Says who it is, then answers each line.
    static let echo = """
          echo:
            shell: 'echo "I am $$ in $PWD for $GREETING"; echo heard >&2; exec cat'
            env: { GREETING: you }
            stdio: per_client

        """

    /// Heeds neither the end of its input nor SIGTERM, and leaves others behind that don't either.
    static let deaf = """
          deaf:
            shell: |
              trap '' TERM HUP
              setsid sh -c 'trap "" TERM; while :; do sleep 1001; done' &
              echo ready
              while :; do sleep 1002; done
            stdio: per_client
            stop: { grace: 500ms }

        """
}

extension Sandbox {
    /// The path at which clients of a sidecar connect.
    func socket(of name: String) throws -> String { String(try succeed("port", name).dropLast()) }
}
