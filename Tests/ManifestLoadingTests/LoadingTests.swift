import ManifestLoading
import Planning
import SidecarModel
import Testing

@Suite struct LoadingTests {
    @Test func `a whole manifest becomes a plan`() throws {
        let loaded = load(
            """
            version: 1
            name: mediar
            env: { LOG_LEVEL: info }
            defaults: { stop: { grace: 5s } }
            x-note: whatever
            sidecars:
              db:
                command: [postgres, -D, data, -p, "${ports.sql}"]
                ports: { sql: 5432-5500 }
                health: { exec: [pg_isready, -p, "${ports.sql}"] }
                stop: { signal: SIGINT, grace: 30s }
              migrate:
                kind: task
                shell: ./migrate.sh && ./seed.sh
                depends_on: [db]
              mcp:
                command: terminator-mcp-agent --transport http --port ${ports.http} --cors
                depends_on: { migrate: succeeded, db: { condition: healthy } }
                ports: { http: 8080-8200 }
                replicas: 2
                health:
                  readiness: { http: { path: /health }, period: 2s, timeout: 1s }
                  liveness: { http: { path: /health }, period: 10s, failure_threshold: 3 }
                restart: { delay: 1s, max_delay: 10s }
                hooks: { on_crash: { exec: [./notify.sh] }, on_failed: { webhook: "http://127.0.0.1:9000/alert" } }
            """)
        #expect(loaded.report == [])
        let plan = try #require(loaded.plan)
        #expect(plan.project.name == "mediar")
        #expect(plan.waves == [[0], [1], [2]])
        let db = plan.sidecars[0]
        #expect(
            db.program
                == .command([
                    Template("postgres"), Template("-D"), Template("data"), Template("-p"),
                    Template(segments: [.reference(.port("sql"))]),
                ]))
        #expect(db.stop.grace == .seconds(30))
        #expect(db.stop.signal == .interrupt)
        #expect(db.workingDirectory == Template("/app"))
        #expect(db.environment == [EnvironmentEntry(name: "LOG_LEVEL", value: Template("info"))])
        let migrate = plan.sidecars[1]
        #expect(migrate.program == .shell(Template("./migrate.sh && ./seed.sh")))
        #expect(migrate.restart.policy == .never)
        #expect(migrate.dependencies == [DependencySpec(sidecar: "db", condition: .healthy)])
        #expect(migrate.stop.grace == .seconds(5))
        let mcp = plan.sidecars[2]
        #expect(mcp.replicas == 2)
        #expect(mcp.restart.delay == .seconds(1))
        #expect(mcp.health.liveness?.failureThreshold == 3)
        #expect(mcp.hooks.map(\.event) == [.onCrash, .onFailed])
        #expect(mcp.fingerprints.map(\.key).contains("command"))
        #expect(!mcp.fingerprints.map(\.key).contains("stop.grace"))
    }
}
