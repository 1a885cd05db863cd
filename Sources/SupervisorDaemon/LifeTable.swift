import Reconciliation
import SidecarModel
import Supervision

/// Which process is which instance's, in both directions.
struct LifeTable {
    struct Life: Hashable {
        var index: InstanceIndex
        var incarnation: Incarnation
    }

    private var owners: [ProcessID: Life] = [:]
    private var processes: [Int: ProcessID] = [:]

    mutating func add(_ process: ProcessID, of index: InstanceIndex, _ incarnation: Incarnation) {
        owners[process] = Life(index: index, incarnation: incarnation)
        processes[index.value] = process
    }

    func life(of process: ProcessID) -> Life? { owners[process] }

    /// The process of this very life of the instance.
    func process(of index: InstanceIndex, _ incarnation: Incarnation) -> ProcessID? {
        guard let process = processes[index.value], owners[process]?.incarnation == incarnation else { return nil }
        return process
    }

    mutating func remove(_ process: ProcessID) {
        guard let life = owners.removeValue(forKey: process) else { return }
        if processes[life.index.value] == process { processes[life.index.value] = nil }
    }
}
