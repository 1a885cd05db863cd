import ControlAPI
import SidecarModel
import StateStore
import Supervision
import Testing

@testable import OrchestrateCommands

/// A project in the middle of its start, with something of everything.
private struct Scene {
    let now = Timestamp(microseconds: 1_795_428_010_000_000)

    func instance(
        _ name: String, _ state: StateName, since seconds: Int64 = 1, reason: String = "",
        change: (inout InstanceReport) -> Void = { _ in }
    ) -> InstanceReport {
        let parts = name.split(separator: "/")
        var report = InstanceReport(
            name: name, sidecar: String(parts[0]), replica: parts.count > 1 ? Int(parts[1]) ?? 0 : 0, kind: .service,
            state: state, isWanted: true, incarnation: 3,
            since: Timestamp(microseconds: now.microseconds - seconds * 1_000_000), reason: reason)
        change(&report)
        return report
    }

    var project: ProjectReport {
        ProjectReport(
            project: "mediar", identity: "/srv/mediar/sidecars.yaml", directory: "/srv/mediar",
            manifest: "/srv/mediar/sidecars.yaml", stateDirectory: "/state", phase: .running, supervisorPID: 10,
            containment: ContainmentReport(level: "B", description: "subreaper and session"),
            lease: LeaseReport(client: ClientIdentity(pid: 77, startTime: 1, bootID: "b"), takenAt: now),
            warnings: ["the keeper was lost"],
            sidecars: [
                instance("db", .healthy, since: 4000) {
                    $0.pid = 1234
                    $0.startedAt = Timestamp(microseconds: now.microseconds - 3_723_000_000)
                    $0.ports = [
                        PortReport(instance: "db", name: "sql", number: 5432, bind: "127.0.0.1", transport: .tcp)
                    ]
                    $0.usage = UsageReport(cpuMilliseconds: 1250, memoryBytes: 42 << 20)
                },
                instance("migrate", .completed) {
                    $0.kind = .task
                    $0.lastExit = ExitReport(.code(0))
                },
                instance("mcp/0", .healthy) {
                    $0.isUnverified = true
                    $0.pid = 1240
                },
                instance("mcp/1", .backoff, reason: "exit 3, attempt 2 of 10") {
                    $0.until = Timestamp(microseconds: now.microseconds + 1_200_000)
                    $0.lastExit = ExitReport(.signal(.kill))
                    $0.restartsTotal = 2
                },
                instance("web", .waiting) { $0.waitingFor = ["mcp"] },
                instance("evil\u{1b}]0;name\u{7}", .failed, reason: "exit 1\u{1b}[2J"),
            ])
    }
}

@Suite struct RenderingTests {
    private let scene = Scene()
    private let plain = Palette(isOn: false)

    @Test func `status is a table and the sentences it needs`() {
        Golden.expect(
            StatusTable.lines(scene.project, now: scene.now, palette: plain).joined(separator: "\n"), is: "status")
    }

    @Test(arguments: [(40, 6), (40, 10), (80, 12), (80, 14), (200, 24)])
    func `a status that is watched fits its terminal, and says how much does not`(columns: Int, rows: Int) throws {
        var project = scene.project
        project.sidecars += (0..<20).map { scene.instance("extra\($0)", .healthy) }
        let terminal = Terminal(isInteractive: true, usesColor: true, columns: columns, rows: rows)
        let lines = StatusTable.lines(project, now: scene.now, fitting: terminal)
        #expect(lines.count <= rows - 1)
        #expect(lines.allSatisfy { $0.withoutColors.count < columns })
        // No colour is left open.
        #expect(lines.allSatisfy { $0.count { $0 == "\u{1b}" } % 2 == 0 })
        let names = Set(project.sidecars.map(\.name.terminalSafe))
        let shown = lines.drop { !$0.contains("NAME") }.prefix { !$0.isEmpty }
            .count { names.contains(String($0.withoutColors.prefix { $0 != " " })) }
        #expect(try #require(lines.last).withoutColors == "… \(26 - shown) more are not shown")
        // Those that are well give way.
        guard rows >= 12 else { return }
        for name in ["mcp/1", "web", "evil"] { #expect(lines.contains { $0.hasPrefix(name) }, "\(name)") }
    }

    @Test func `a status that fits is shown whole`() {
        let terminal = Terminal(isInteractive: true, usesColor: false, columns: 200, rows: 24)
        #expect(
            StatusTable.lines(scene.project, now: scene.now, fitting: terminal)
                == StatusTable.lines(scene.project, now: scene.now, palette: plain))
    }

    @Test func `what is cut to a width leaves no colour open`() {
        #expect("a\u{1b}[31mmom\u{1b}[0mb".fitted(to: 2) == "a\u{1b}[31mm\u{1b}[0m")
        #expect("plain".fitted(to: 9) == "plain")
        #expect("plain".fitted(to: 0) == "")
    }

    @Test func `the tree shows each sidecar and what it waits for`() {
        let view = ProjectView(scene.project)
        var tree = LiveTree(terminal: Terminal(isInteractive: true, usesColor: false, columns: 90))
        tree.lastLines = ["mcp/1": "cannot bind: \u{1b}[31maddress in use"]
        let started = Timestamp(microseconds: scene.now.microseconds - 4_200_000)
        Golden.expect(
            tree.lines(view, started: started, now: scene.now, title: "starting").joined(separator: "\n"), is: "tree")
        tree.terminal.rows = 6
        Golden.expect(
            tree.lines(view, started: started, now: scene.now, title: "starting").joined(separator: "\n"),
            is: "tree-short")
    }

    @Test func `the tree of a part shows and counts that part`() {
        var tree = LiveTree(terminal: Terminal(isInteractive: true, usesColor: false, columns: 90))
        tree.sidecars = ["db", "web"]
        let lines = tree.lines(ProjectView(scene.project), started: scene.now, now: scene.now, title: "starting")
        #expect(lines.first == "mediar  starting  1 of 2 ready  0ms")
        #expect(lines.count == 3)
        #expect(lines[1].hasPrefix("├─ db ") && lines[2].hasPrefix("└─ web "))
    }

    @Test(arguments: [
        (StopReport(.queued), "waits for web, api to stop"), (StopReport(.endingStart), "its start ends first"),
        (StopReport(.preStop, next: .terminate), "pre_stop runs, SIGTERM in 1.5s"),
        (StopReport(.signalled, signal: .interrupt, next: .kill), "SIGINT was sent, SIGKILL in 1.5s"),
        (StopReport(.clearing, next: .kill), "what it started is to go too, SIGKILL in 1.5s"),
        (StopReport(.killed), "SIGKILL was sent"), (StopReport(.stuck), "SIGKILL did not end it"),
    ])
    func `a stop says what it waits for`(stop: StopReport, text: String) {
        let instance = scene.instance("db", .stopping, reason: "asked to stop") {
            $0.waitingFor = ["web", "api"]
            $0.stop = stop
            $0.stop?.nextAt = Timestamp(microseconds: scene.now.microseconds + 1_500_000)
        }
        #expect(StateText.detail(of: instance, now: scene.now) == "asked to stop; \(text)")
    }

    @Test func `no line of the tree is wider than the terminal`() {
        let view = ProjectView(scene.project)
        for columns in [40, 60, 80] {
            let tree = LiveTree(terminal: Terminal(isInteractive: true, usesColor: false, columns: columns))
            for line in tree.lines(view, started: scene.now, now: scene.now, title: "starting") {
                #expect(line.count <= columns, "\(columns): \(line)")
            }
        }
    }

    @Test func `the first line of the tree is cut too, and keeps the end of a long path`() throws {
        var project = scene.project
        project.project = "/srv/clients/a-company-with-a-very-long-name-indeed/applications/backend/sidecars.yaml"
        project.sidecars.append(scene.instance(String(repeating: "n", count: 60) + "-end", .starting))
        for columns in [10, 30, 36, 60, 80] {
            let tree = LiveTree(terminal: Terminal(isInteractive: true, usesColor: false, columns: columns))
            let lines = tree.lines(ProjectView(project), started: scene.now, now: scene.now, title: "starting")
            for line in lines { #expect(line.count <= columns, "\(columns): \(line)") }
            if columns == 36 { #expect(lines.first == "….yaml  starting  3 of 7 ready  0ms") }
            guard columns >= 60 else { continue }
            #expect(try #require(lines.first).hasPrefix("…"))
            #expect(try #require(lines.first).contains("sidecars.yaml  starting  3 of 7 ready"))
            #expect(try #require(lines.last).contains("-end  "))
        }
    }

    @Test func `the tree has room for the last line of whoever fails, and for every state`() throws {
        var project = scene.project
        project.sidecars = [
            scene.instance("a-name-of-more-letters-than-there-are-columns-", .starting),
            scene.instance("db", .backoff, reason: "exit 3, attempt 2 of 2 in 570 ms") {
                $0.until = Timestamp(microseconds: scene.now.microseconds + 345_000)
            }, scene.instance("ok", .healthy),
        ]
        var tree = LiveTree(terminal: Terminal(isInteractive: true, usesColor: false, columns: 80))
        let words = "cannot bind 127.0.0.1:5432: address already in use"
        tree.lastLines = ["db": words, "ok": words]
        func lines() -> [String] {
            tree.lines(ProjectView(project), started: scene.now, now: scene.now, title: "starting")
        }
        let wide = lines()
        #expect(wide[2].hasSuffix("exit 3, attempt 2 of 2, next t"))
        #expect(wide[3] == "│    “\(words)”")
        #expect(wide.count == 5)
        // Who does not fail has no line of its own for it.
        #expect(wide[4].hasPrefix("└─ ok "))
        tree.terminal.columns = 120
        let wider = lines()
        #expect(wider[2].hasSuffix("attempt 2 of 2, next try in 345ms"))
        #expect(wider[3] == "│    “\(words)”")
        tree.terminal.columns = 200
        #expect(lines()[2].hasSuffix("next try in 345ms  “\(words)”"))
        tree.terminal.columns = 40
        let narrow = lines()
        #expect(narrow[1].hasPrefix("├─ …") && narrow[1].contains("starting"))
        #expect(narrow[3].hasPrefix("│    “cannot bind"))
        tree.terminal.columns = 80
        tree.terminal.rows = 6
        #expect(lines() == wide.prefix(4) + ["   … and 1 more"])
    }

    @Test func `a failure says who, why, its last words, whom it holds back and what to do`() {
        let bad = scene.instance("db", .failed, reason: "failed at execute: no such file 'postgrs'") {
            $0.consecutiveFailures = 5
            $0.lastExit = ExitReport(.code(127))
        }
        let web = scene.instance("web", .blocked, reason: "db is failed") { $0.waitingFor = ["db"] }
        let report = FailureReport(
            failed: [bad, web], all: [bad, web], lastLines: ["db": ["starting", "no \u{1b}[2Jdata"]],
            selector: " --file x.yaml")
        Golden.expect(report.lines(plain).joined(separator: "\n"), is: "failure")
    }

    @Test func `a failure that takes the project down names no command to do that with`() {
        let bad = scene.instance("db", .failed, reason: "exit 1")
        var report = FailureReport(failed: [bad], all: [bad], selector: "")
        let lines = report.lines(plain)
        #expect(lines.last == "Then:       orchestrate up again, or orchestrate down")
        report.isTakenDown = true
        #expect(report.lines(plain) == lines.dropLast())
    }

    @Test func `a failure shows the beginning of what its sidecar wrote without end`() {
        let bad = scene.instance("db", .failed, reason: "exit 1")
        let words = ["short", String(repeating: "w", count: 900_000), String(repeating: "\u{1b}", count: 400)]
        var report = FailureReport(failed: [bad], all: [bad], lastLines: ["db": words], selector: "")
        func shown() -> [String] {
            report.lines(plain).filter { $0.hasPrefix("    | ") }.map { String($0.dropFirst(6)) }
        }
        #expect(shown()[1] == String(repeating: "w", count: 499) + "…")
        #expect(shown().map(\.count) == [5, 500, 500])
        report.columns = 40
        #expect(shown().map(\.count) == [5, 154, 154])
        #expect("e\u{301}\u{301}\u{301}".cut(to: 3) == "e\u{301}…")
    }

    @Test func `a failure names those too that wait for one it holds back`() {
        let db = scene.instance("db", .failed, reason: "exit 1")
        let front = scene.instance("front", .blocked, reason: "web is blocked") { $0.waitingFor = ["web"] }
        let web = scene.instance("web", .blocked, reason: "db is failed") { $0.waitingFor = ["db"] }
        let other = scene.instance("other", .waiting, reason: "") { $0.waitingFor = ["cache"] }
        // One instance of several that are there is enough for it.
        let any = scene.instance("any", .waiting, reason: "waits for db") { $0.waitingFor = ["db"] }
        let report = FailureReport(failed: [db], all: [db, front, web, other, any], selector: "")
        #expect(report.lines(plain).contains("  held back by it: front, web"))
        let many = (0..<25).map { at in scene.instance("w\(at)", .blocked) { $0.waitingFor = ["db"] } }
        let long = FailureReport(failed: [db], all: [db] + many, selector: "").lines(plain)
        let names = (0..<20).map { "w\($0)" }.joined(separator: ", ")
        #expect(long.contains("  held back by it: \(names) and 5 more"))
    }

    @Test func `what is late is said with what it does instead, its last words, and the command to run next`() {
        let ext = scene.instance("ext", .unhealthy, reason: "") { $0.lastProbe = "connection refused" }
        let web = scene.instance("web", .waiting, reason: "waits for ext") { $0.waitingFor = ["ext"] }
        let more = (0..<25).map { scene.instance("w\($0)", .waiting, reason: "waits for ext") }
        let report = LateReport(
            .healthy, [web, ext] + more, lastLines: ["ext": ["no \u{1b}[2Jdata"]], selector: " -f x.yaml",
            now: scene.now)
        let lines = report.lines(plain)
        #expect(
            lines.prefix(4) == [
                "not healthy in time:", "  web: waiting  waits for ext", "  ext: unhealthy  connection refused",
                "    | no \\e[2Jdata",
            ])
        #expect(
            lines.suffix(2) == [
                "  and 7 more",
                "See more:   orchestrate logs -f x.yaml ext   ·   orchestrate why -f x.yaml ext",
            ])
    }

    @Test func `why follows causes to other sidecars`() {
        func step(
            _ id: Int64, _ sidecar: String, _ from: StateName, _ to: StateName, _ initiator: Initiator, _ cause: String,
            by other: String? = nil
        ) -> TransitionRow {
            TransitionRow(
                id: id, atWall: scene.now.microseconds + id * 1000, atBoot: Instant(nanoseconds: id), sidecar: sidecar,
                replica: 0, incarnation: 1, from: from, to: to, initiator: initiator, cause: cause, causedBy: other)
        }
        let journal = [
            step(1, "db", .stopped, .starting, .apply, "first start"),
            step(2, "web", .stopped, .waiting, .apply, "waits for db", by: "db"),
            step(3, "db", .starting, .failed, .exit, "exit 1, after 10 restarts in a row"),
            step(4, "web", .waiting, .blocked, .dependency, "db is failed", by: "db"),
        ]
        Golden.expect(
            WhyChain.lines(for: "web", replica: nil, journal: journal, palette: plain).joined(separator: "\n"),
            is: "why")
        #expect(WhyChain.lines(for: "nobody", replica: nil, journal: journal, palette: plain).isEmpty)
    }

    @Test func `of several instances the one is told of that is worst off, and the others are named`() throws {
        func row(_ replica: Int, _ state: StateName, _ since: Int64, isWanted: Bool = true) -> InstanceRow {
            InstanceRow(
                sidecar: "q", replica: replica, state: state, incarnation: 1, isWanted: isWanted,
                since: Instant(nanoseconds: since), sinceWall: since)
        }
        let known = [
            row(0, .healthy, 9), row(1, .failed, 5), row(2, .backoff, 7), row(3, .stopped, 8, isWanted: false),
        ]
        let troubled = try #require(TroubledInstance(of: "q", among: known))
        #expect(troubled.replica == 1)
        #expect(troubled.others.map(\.replica) == [0, 2])
        let journal = known.prefix(3).enumerated().map { place, row in
            TransitionRow(
                id: Int64(place), atWall: scene.now.microseconds, atBoot: row.since, sidecar: "q", replica: row.replica,
                incarnation: 1, from: .starting, to: row.state, initiator: .exit, cause: "exit 1")
        }
        let lines = WhyChain.lines(
            for: "q", replica: troubled.replica, others: troubled.others, journal: journal, palette: plain)
        #expect(lines.first?.hasPrefix("q/1 is failed since ") == true)
        #expect(lines.dropFirst().first == "others: q/0 healthy, q/2 backoff")
        #expect(TroubledInstance(of: "q", among: [row(0, .healthy, 3), row(1, .healthy, 4)])?.replica == 1)
        #expect(TroubledInstance(of: "nobody", among: known) == nil)
    }

    @Test func `a summary names what changed`() {
        let summary = ApplySummary(
            changes: [
                .init(sidecar: "new", action: .create),
                .init(sidecar: "db", action: .restart, keys: ["command", "env"]),
                .init(sidecar: "old", action: .remove),
            ], unchanged: 4, wanted: [])
        #expect(
            SummaryText.line(summary)
                == "1 new (new), 1 restarted (db: command, env), 1 removed (old), 4 unchanged")
        #expect(SummaryText.line(ApplySummary(changes: [], unchanged: 0, wanted: [])) == "nothing to do")
        let started = ApplySummary(changes: [], started: ["a", "b", "c", "d", "e"], unchanged: 1, wanted: [])
        #expect(SummaryText.line(started) == "5 started (a; b; c; d, …), 1 unchanged")
    }

    @Test func `nothing printed steers the terminal`() {
        #expect("a\u{1b}[2J\r\n\u{9b}1m\tz".terminalSafe == "a\\e[2J\\r\\n\\x9b1m\tz")
        #expect("a\u{202e}b".terminalSafe == "a\\u{202e}b")
        #expect("plain".terminalSafe == "plain")
    }

    @Test func `colours are taken out of log lines, everything else is shown`() {
        #expect("\u{1b}[1;31mred\u{1b}[0m".withoutColors == "red")
        #expect("\u{1b}[2Jx\u{1b}[".withoutColors == "\u{1b}[2Jx\u{1b}[")
    }

    @Test(arguments: [
        (Duration.milliseconds(0), "0ms"), (.milliseconds(350), "350ms"), (.milliseconds(4200), "4.2s"),
        (.seconds(59), "59s"), (.seconds(63), "1m03s"), (.seconds(7500), "2h05m"), (.seconds(273_600), "3d04h"),
    ])
    func `durations have the unit that fits`(duration: Duration, text: String) {
        #expect(UnitText.duration(duration) == text)
    }

    @Test(arguments: [
        (Int64(0), "0B"), (1023, "1023B"), (1536, "1.5KiB"), (10 << 20, "10MiB"), (.max, "8388607TiB"),
    ])
    func `sizes have the unit that fits`(bytes: Int64, text: String) {
        #expect(UnitText.bytes(bytes) == text)
    }
}
