import Glibc
import Supervision

/// What the kernel can do for us, and so how surely everything of a sidecar is found.
enum KernelExamination {
    static func findings() -> [Finding] {
        features() + [containment()]
    }

    private static func features() -> [Finding] {
        KernelFeature.tryAll().map { feature in
            guard let failure = feature.failure else { return .good("kernel", feature.name, "works") }
            let detail = "\(failure.message): \(feature.consequence)"
            let remedy =
                switch failure.errno {
                case EPERM, EACCES: "something forbids it here, such as a container's seccomp profile; allow it"
                // No child could be had to try it in.
                case EAGAIN: SystemError.moreProcesses
                default: "use Linux \(feature.since) or later; this is \(Kernel.release)"
                }
            switch feature.need {
            case .required: return .wrong("kernel", feature.name, detail, remedy: remedy)
            case .helpful: return .notice("kernel", feature.name, detail, remedy: remedy)
            }
        }
    }

    private static func containment() -> Finding {
        let found = Containment.tried()
        let subject = "containment \(found.level.rawValue)"
        switch found.level {
        case .cgroup:
            return .good("kernel", subject, "\(found.description): nothing can leave it unseen")
        case .keeper, .session:
            return .notice(
                "kernel", subject,
                "\(found.description). Everything is found while the keeper lives; after its loss a process that left "
                    + "its session and removed its mark is not",
                remedy: "start it in a cgroup of its own: systemd-run --user --scope -p Delegate=yes orchestrate up")
        }
    }
}
