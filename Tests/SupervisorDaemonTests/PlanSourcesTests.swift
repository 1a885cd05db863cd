import FoundationEssentials
import Glibc
import ManifestLoading
import Planning
import SidecarModel
import Testing

@testable import SupervisorDaemon

@Suite struct PlanSourcesTests {
    private let manifest = """
        env_file: [other.env, .env]
        secrets: { api: { env: API_TOKEN } }
        sidecars:
          web:
            command: [/bin/sh, -c, ": ${WORDS}"]
            secrets: { API_TOKEN: api }
        """

    @Test func `a plan that was right in an earlier version is made again`() throws {
        var sources = PlanSources()
        sources.add(
            PlanSources.Layer(
                manifest: "/p/sidecars.yaml", workingDirectory: "/p", environment: [:], names: [],
                files: [
                    "/p/sidecars.yaml": """
                    sidecars:
                      web: { command: [./web], health: { file: ready, period: 1ms } }
                      api: { command: [./api], ports: { a: { port: auto, env: PATH } } }
                    """
                ], canonicalPaths: ["/p": "/p"]))
        let plan = try #require(PlanSources(encoded: sources.encoded)?.makePlan())
        #expect(plan.sidecars.map(\.name) == ["web", "api"])
        #expect(plan.sidecars[0].program == .command([Template("./web")]))
    }

    @Test func `the plan is made again from what is kept, without the values of secrets`() throws {
        var template = Array("/tmp/orchestrate-sources-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        let texts = [
            "sidecars.yaml": manifest,
            ".env": "# was old-s3cret\nAPI_TOKEN='s3cret'\nWORDS=\"a \\\"b\\\" \\\\ c\nd\"\n",
            "other.env": "API_TOKEN=s3cret-too\nOTHER=$x '\n",
        ]
        for (name, text) in texts { try Data(text.utf8).write(to: URL(filePath: "\(directory)/\(name)")) }
        defer {
            for name in texts.keys { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }
        let files = RecordingFiles(directory: directory, resourceObstacle: { _ in nil })
        let loaded = loadManifest(path: "\(directory)/sidecars.yaml", environment: [:], files: files)
        let plan = try #require(loaded.plan)
        #expect(plan.sidecars[0].environment.map(\.name) == ["OTHER", "WORDS"])
        var sources = PlanSources()
        sources.add(
            PlanSources.Layer(
                manifest: loaded.path, workingDirectory: directory, environment: [:], names: [],
                files: files.contents(manifest: loaded.path, without: plan.secretVariables),
                canonicalPaths: files.canonicalPaths))
        #expect(!String(decoding: sources.encoded, as: UTF8.self).contains("s3cret"))
        let again = try #require(PlanSources(encoded: sources.encoded)?.makePlan())
        #expect(again.sidecars == plan.sidecars)
        #expect(PlanDifference(from: plan, to: again).entries.allSatisfy { $0.action == .unchanged })
    }
}
