import Reconciliation
import SidecarModel
import Supervision

/// Carries out the core's probes: what is looked up, connected to or run, and what the sidecar says by itself.
final class ProbeRunner {
    unowned var supervisor: Supervisor!
    private let loop: EventLoop
    private let helpers: HelperRunner
    /// By instance: what is under way for its current life.
    private var running: [Int: [Running]] = [:]
    private var patternOwners: [UInt64: Owner] = [:]
    private var lastToken: UInt64 = 0
    let notifyPath: String? = nil

    private struct Owner {
        var index: InstanceIndex
        var incarnation: Incarnation
        var role: ProbeRole
    }

    private struct Running {
        enum Work {
            case helper(HelperRunner.ID)
        }

        var incarnation: Incarnation
        var token: UInt64
        var work: Work
    }

    init(loop: EventLoop, helpers: HelperRunner, host: ProcessHost, notifySocket: NotifySocket?) throws(SystemError) {
        self.loop = loop
        self.helpers = helpers
    }

    func matched(_ token: UInt64) {}
    func run(_ index: InstanceIndex, _ incarnation: Incarnation, _ role: ProbeRole) {}
    func end(_ index: InstanceIndex, _ incarnation: Incarnation) {}
    func adopt(_ id: HelperRunner.ID, _ index: InstanceIndex, _ incarnation: Incarnation) {}
    func patterns(of spec: SidecarSpec, _ index: InstanceIndex, _ incarnation: Incarnation) -> [LogPattern] { [] }
}
struct NotifySocket {}
struct ProcessUsage { var cpuTime = Duration.zero; var memory = ByteCount(bytes: 0); init?(of: Int32) { nil } }
