import SidecarModel

/// The first message of a kind takes a process milliseconds: the Swift runtime finds out what the types in it conform to,
/// among thousands of records, and keeps what it found. Both sides of an `up` have a moment before the first one comes,
/// and go through a small one meanwhile.
package enum Rehearsal {
    private static let subscribe =
        #"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"with_reports":false,"with_sidecars":true,"#
        + #""states":["healthy"]}}"#
    private static let apply =
        #"{"jsonrpc":"2.0","id":2,"method":"apply","params":{"manifest":"/a","working_directory":"/","environment":"#
        + #"{"A":"b"},"umask":18,"names":["a"],"refresh_environment":false,"attachment":{"detached":{}}}}"#

    private static let subscribed =
        #"{"jsonrpc":"2.0","id":1,"result":{"sequence":0,"project":{"project":"a","identity":"/a","directory":"/","#
        + #""manifest":"/a","state_directory":"/s","phase":"running","supervisor_pid":1,"keeper_pid":1,"#
        + #""supervisor_started_at":"2026-01-01T00:00:00Z","containment":{"level":"cgroup","description":"c"},"#
        + #""warnings":["w"],"sidecars":[]}}}"#
    private static let applied =
        #"{"jsonrpc":"2.0","id":2,"result":{"summary":\#(summary),"lease_holder":false,"diagnostics":[],"#
        + #""created":[{"name":"a","sidecar":"a","kind":"service"}]}}"#
    private static let event =
        #"{"jsonrpc":"2.0","method":"event","params":{"sequence":1,"at":"2026-01-01T00:00:00Z","kind":"applied","#
        + #""summary":\#(summary)}}"#
    private static let summary =
        #"{"changes":[{"sidecar":"a","action":"create","keys":["command"]}],"unchanged":0,"wanted":["a"]}"#

    /// What the client hears. False: it would not have understood it.
    @discardableResult
    package static func ofClient() -> Bool {
        do {
            for line in [subscribed, applied, event] { _ = try WireFormat.serverMessage(ArraySlice(line.utf8)) }
            _ = try WireFormat.answer(subscribed.utf8, of: Subscribe.self)
            _ = try WireFormat.answer(applied.utf8, of: Apply.self)
            return true
        } catch {
            return false
        }
    }

    /// What the supervisor is asked, and how it answers. False: it would not have understood it.
    @discardableResult
    package static func ofSupervisor() -> Bool {
        let summary = ApplySummary(
            changes: [.init(sidecar: "a", action: .create, keys: ["command"])], unchanged: 0, wanted: ["a"])
        let project = ProjectReport(
            project: "a", identity: "/a", directory: "/", manifest: "/a", stateDirectory: "/s", phase: .running,
            supervisorPID: 1, keeperPID: 1, supervisorStartedAt: Timestamp(microseconds: 0),
            containment: ContainmentReport(level: "cgroup", description: "c"), warnings: ["w"])
        let answer = Apply.Answer(
            summary: summary, isLeaseHolder: false,
            created: [.init(name: "a", sidecar: "a", kind: .service)])
        do {
            for line in [subscribe, apply] { _ = try RequestMessage(line: line.utf8) }
        } catch {
            return false
        }
        _ = WireFormat.response(.subscribe(.init(sequence: 0, project: project)), to: .number(1))
        _ = WireFormat.response(.apply(answer), to: .number(2))
        _ = WireFormat.event(EventMessage(sequence: 0, at: Timestamp(microseconds: 0), event: .applied(summary)))
        return true
    }
}
