import ControlAPI
import SidecarModel

/// What a client knows of a project: a snapshot, kept up by events.
struct ProjectView {
    private(set) var project: ProjectReport
    private var index: [String: Int] = [:]

    init(_ project: ProjectReport) {
        self.project = project
        for (position, instance) in project.sidecars.enumerated() { index[instance.name] = position }
    }

    /// Of a project of which nothing was there but these, which nothing has happened to yet.
    /// - Parameter wanted: the sidecars that were asked for.
    init(_ project: ProjectReport, created: [Apply.Created], wanted: Set<String>) {
        var project = project
        let now = Timestamp.now
        project.sidecars = created.map { instance in
            let replica = instance.name.split(separator: "/").dropFirst().first.flatMap { Int($0) } ?? 0
            let isWanted = wanted.contains(instance.sidecar)
            return InstanceReport(
                name: instance.name, sidecar: instance.sidecar, replica: replica, kind: instance.kind,
                state: isWanted ? .waiting : .stopped, isWanted: isWanted, incarnation: 0, since: now,
                isPrimary: instance.isPrimary ?? false)
        }
        self.init(project)
    }

    var instances: [InstanceReport] { project.sidecars }

    /// Each once.
    var sidecarNames: [String] {
        var names: [String] = []
        for instance in instances where names.last != instance.sidecar { names.append(instance.sidecar) }
        return names
    }

    /// By instance name.
    subscript(name: String) -> InstanceReport? { index[name].map { project.sidecars[$0] } }

    /// The instances a name means: itself, or all of a sidecar.
    func instances(named name: String) -> [InstanceReport] {
        if let one = self[name] { return [one] }
        return project.sidecars.filter { $0.sidecar == name || "\($0.sidecar)/\($0.replica)" == name }
    }

    mutating func apply(_ transition: TransitionEvent, at: Timestamp) {
        guard let position = index[transition.instance] else {
            guard let report = transition.report else { return }
            index[transition.instance] = project.sidecars.count
            project.sidecars.append(report)
            return
        }
        if let report = transition.report {
            project.sidecars[position] = report
            return
        }
        var instance = project.sidecars[position]
        // Not every subscriber is told of its way to another life.
        if transition.incarnation != instance.incarnation {
            (instance.isRestartPending, instance.isRestartHalted) = (nil, nil)
        }
        instance.state = transition.to
        instance.health = Health(of: transition.to)
        instance.incarnation = transition.incarnation
        instance.reason = transition.cause
        instance.since = at
        project.sidecars[position] = instance
    }
}
