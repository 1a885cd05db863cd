import Glibc
import Testing

extension EndToEnd {
    /// Real servers from Debian, with checks and dependencies, up and down again and again.
    @Suite
    struct ServerTests {
        private static let manifest = """
              redis:
                command: [redis-server, --port, "${ports.redis}", --save, "", --bind, 127.0.0.1, --daemonize, "no"]
                ports: { redis: auto }
                health: { tcp: redis }

              init:
                kind: task
                shell: "[ -e data/PG_VERSION ] || initdb -D data -U demo -A trust >/dev/null"

              postgres:
                command: [postgres, -D, data, -p, "${ports.sql}", -k, ""]
                ports: { sql: auto }
                depends_on: { init: succeeded }
                health: { exec: [pg_isready, -h, 127.0.0.1, -p, "${ports.sql}"], period: 500ms }
                stop: { signal: SIGINT, grace: 20s }

              nginx:
                shell: |
                  cat >nginx.conf <<END
                  daemon off;
                  pid $PWD/nginx.pid;
                  error_log stderr;
                  events {}
                  http {
                    access_log off;
                    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
                    uwsgi_temp_path tmp; scgi_temp_path tmp;
                    server { listen 127.0.0.1:$PORT; location / { return 200 ok; } }
                  }
                  END
                  exec nginx -p "$PWD" -c nginx.conf
                ports: { http: auto }
                depends_on: [redis, postgres]
                health: { http: / }
                stop: { signal: SIGQUIT }

              files:
                command: [python3, -m, http.server, "${ports.http}", --bind, 127.0.0.1]
                ports: { http: auto }
                depends_on: [nginx]
                health: { http: / }
            """

        private static var path: String {
            let versions = Directory.entries("/usr/lib/postgresql").map { "/usr/lib/postgresql/\($0)/bin" }
            return (versions + [String(cString: getenv("PATH")), "/usr/sbin"]).joined(separator: ":")
        }

        @Test(arguments: users)
        func `Debian's servers come up healthy and leave nothing`(user: UInt32) throws {
            try Sandbox.run(as: user == getuid() ? nil : user) { sandbox in
                try sandbox.declare(Self.manifest)
                let environment = ["PATH": Self.path]
                for round in 0..<min(10, rounds) {
                    let up = try sandbox.start(["up", "-d", "--timeout", "60s"], environment: environment).end(
                        within: 90)
                    try #require(up.status == 0, "round \(round): \(up.everything)")
                    for name in ["redis", "postgres", "nginx", "files"] {
                        #expect(!sandbox.sidecars(name).isEmpty, "\(name), round \(round)")
                    }
                    let down = try sandbox.start(["down"], environment: environment).end()
                    #expect(down.status == 0, "round \(round): \(down.everything)")
                    #expect(sandbox.processes.isEmpty, "round \(round)")
                }
            }
        }

        /// PostgreSQL refuses to run as root, so root runs the test as the ordinary user `nobody`.
        private static var users: [UInt32] { [getuid() == 0 ? 65534 : getuid()] }
    }
}
