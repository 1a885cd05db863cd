import Glibc
package import SidecarModel

/// What a cgroup limits for all in it together, where its controllers were handed down to us.
extension ControlGroups {
    /// The controllers a process's cgroup has. Passes those on that the directory above has.
    func enable(_ controllers: [String]) -> Set<String> {
        let enabled = Self.words(path + "/cgroup.subtree_control")
        for controller in controllers where !enabled.contains(controller) {
            if !Self.words(path + "/cgroup.controllers").contains(controller) {
                ResourceSupport.put("+" + controller, to: Self.parent(of: path) + "/cgroup.subtree_control")
            }
            ResourceSupport.put("+" + controller, to: path + "/cgroup.subtree_control")
        }
        return Self.words(path + "/cgroup.subtree_control")
    }

    /// Why the limits can't be kept, as the end of a sentence. Nil when they can.
    func obstacle(to resources: ResourceSpec) -> String? {
        let enabled = enable(resources.controllers)
        let missing = resources.controllers.filter { !enabled.contains($0) }
        return missing.isEmpty ? nil : Self.sentence(missing, in: Self.parent(of: path))
    }

    /// Sets the limits of a process's cgroup, and takes back those that are not said. The first that failed, or nil.
    func limit(_ id: ProcessID, to resources: ResourceSpec) -> String? {
        _ = enable(resources.controllers)
        return ResourceSupport.write(resources, to: directoryPath(of: id))
    }

    /// Before there is a directory of ours: what one beside this process could be given.
    static func expectedObstacle(to resources: ResourceSpec) -> String? {
        guard let place = placeForOwn() else { return "no cgroup2 is mounted where this process could use it" }
        let passed = words(place + "/cgroup.subtree_control")
        let available = words(place + "/cgroup.controllers")
        // Only the root may have processes and pass controllers on.
        let isRoot = access(place + "/cgroup.type", F_OK) != 0
        let mayPass = isRoot && access(place + "/cgroup.subtree_control", W_OK) == 0
        let missing = resources.controllers.filter {
            !passed.contains($0) && !(mayPass && available.contains($0))
        }
        return missing.isEmpty ? nil : sentence(missing, in: place)
    }

    private static func sentence(_ missing: [String], in place: String) -> String {
        let list = missing.joined(separator: ", ")
        if missing.allSatisfy({ !words(place + "/cgroup.controllers").contains($0) }) {
            return "the cgroup \(place) was not given the \(missing.count == 1 ? "controller" : "controllers") \(list)"
        }
        return "the cgroup \(place) has processes of its own and can't pass on \(list)"
    }

    private static func words(_ path: String) -> Set<String> {
        Set((ProcFile.text(path) ?? "").split { $0 == " " || $0 == "\n" }.map(String.init))
    }

    static func parent(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? path
    }
}

/// Whether limits of a whole sidecar can be kept on this machine.
package enum ResourceSupport {
    /// For a supervisor started from here; nil when it will do. As the end of a sentence.
    package static func expectedObstacle(to resources: ResourceSpec) -> String? {
        ControlGroups.expectedObstacle(to: resources)
    }

    /// Sets the limits in the files of one cgroup, and takes back those that are not said. The first that failed, or nil.
    package static func write(_ resources: ResourceSpec, to directory: String) -> String? {
        let period = 100_000
        let values: [(file: String, value: String, isWanted: Bool)] = [
            ("memory.max", resources.memory.map { String($0.bytes) } ?? "max", resources.memory != nil),
            (
                "cpu.max",
                "\(resources.cpu.map { String(max(1000, Int(($0 * Double(period)).rounded()))) } ?? "max") \(period)",
                resources.cpu != nil
            ),
            ("pids.max", resources.processes.map { String($0) } ?? "max", resources.processes != nil),
        ]
        var failure: String?
        for (file, value, isWanted) in values {
            let path = directory + "/" + file
            let number = put(value, to: path)
            // Without its controller there is no such file, and no limit to take back.
            if number != 0, isWanted, failure == nil {
                failure = "cannot set \(file): \(SystemError.message(for: number))"
            }
        }
        return failure
    }

    @discardableResult
    fileprivate static func put(_ text: String, to path: String) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        return Glibc.write(descriptor, bytes, bytes.count) == bytes.count ? 0 : errno
    }
}

extension ProcessHost {
    /// Why limits are not kept here, as the end of a sentence; nil when they are.
    package func obstacle(to resources: ResourceSpec) -> String? {
        guard let groups else { return "there are no cgroups here (\(bestContainment.description))" }
        return groups.obstacle(to: resources)
    }

    /// Changes the limits of what runs. On the spawner's thread: taking memory back may take long.
    package func limit(_ id: ProcessID, to resources: ResourceSpec) {
        guard let groups, process(id)?.isInGroup == true else { return }
        perform { _ = groups.limit(id, to: resources) }
    }
}
