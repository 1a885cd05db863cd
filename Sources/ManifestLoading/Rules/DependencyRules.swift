import SidecarModel

extension ManifestDecoder {
    func checkDependencies() {
        for written in dependencies {
            let dependency = sidecars[written.sidecar].dependencies[written.position]
            guard let index = indexByName[dependency.sidecar], index != written.sidecar else { continue }
            let target = sidecars[index]
            if written.hasCondition { checkCondition(dependency, on: target, written: written) }
            if let quorum = dependency.quorum, quorum > target.replicas {
                report(
                    .quorumExceedsReplicas, at: written.node,
                    "the quorum is \(quorum), and '\(target.name)' has \(target.replicas)",
                    help: "lower the quorum, or raise its replicas")
            }
            if target.replicas == 0, dependency.required {
                report(
                    .dependencyWithoutReplicas, at: written.node,
                    "'\(target.name)' has no replicas, so this waits for nothing",
                    help: "raise its replicas, or write required: false")
            }
        }
    }

    private func checkCondition(_ dependency: DependencySpec, on target: SidecarSpec, written: WrittenDependency) {
        switch dependency.condition {
        case .healthy:
            guard target.health.readiness == nil, target.health.startup == nil else { return }
            report(
                .healthyWithoutReadiness, at: written.node,
                "'\(target.name)' has no readiness probe: healthy only means that it lives for a while",
                help: "give '\(target.name)' a readiness probe, or wait for 'started'")
        case .succeeded, .completed:
            guard target.kind != .task else { return }
            report(
                .succeededOnService, at: written.node,
                "'\(target.name)' is no task: it is not meant to end, and this may wait for ever",
                help: "make it 'kind: task', or wait for 'healthy'")
        case .started: break
        }
    }
}
