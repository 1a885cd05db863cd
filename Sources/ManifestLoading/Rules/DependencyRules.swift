import SidecarModel

extension ManifestDecoder {
    func checkDependencies() {
        for written in dependencies {
            let dependency = sidecars[written.sidecar].dependencies[written.position]
            guard let index = indexByName[dependency.sidecar], index != written.sidecar else { continue }
            if written.hasCondition { checkCondition(dependency, on: index, written: written) }
            if let quorum = dependency.quorum, quorum > sidecars[index].replicas {
                report(
                    .quorumExceedsReplicas, at: written.node,
                    "the quorum is \(quorum), and '\(dependency.sidecar)' has \(sidecars[index].replicas)",
                    help: "lower the quorum, or raise its replicas")
            } else if sidecars[index].replicas == 0, dependency.required {
                report(
                    .dependencyWithoutReplicas, at: written.node,
                    "'\(dependency.sidecar)' has no replicas, so this waits for nothing",
                    help: "raise its replicas, or write required: false")
            }
        }
    }

    private func checkCondition(_ dependency: DependencySpec, on target: Int, written: WrittenDependency) {
        switch dependency.condition {
        case .healthy:
            guard sidecars[target].health.readiness == nil, sidecars[target].health.startup == nil,
                sidecars[target].stdio != .perClient
            else { return }
            report(
                .healthyWithoutReadiness, at: written.node,
                "'\(dependency.sidecar)' has no readiness probe: healthy only means that it lives for a while",
                help: "give '\(dependency.sidecar)' a readiness probe, or wait for 'started'")
        case .succeeded, .completed:
            guard sidecars[target].kind != .task else { return }
            report(
                .succeededOnService, at: written.node,
                "'\(dependency.sidecar)' is no task: it is not meant to end, and this may wait for ever",
                help: "make it 'kind: task', or wait for 'healthy'")
        case .started: break
        }
    }
}
