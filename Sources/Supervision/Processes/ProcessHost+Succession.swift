import CProcess
import Glibc

// What becomes of the project when its keeper, or all of its supervision, is gone.
extension ProcessHost {
    /// Whether a guard is to end all processes when keeper and supervisor are both lost. They live on otherwise.
    package func setGuarded(_ isGuarded: Bool) {
        // First on record: the guard asks when it wakes, and there may be none yet.
        records.setOnExit(isGuarded ? ORCH_ON_EXIT_STOP : ORCH_ON_EXIT_KEEP)
        link?.send(ORCH_MESSAGE_GUARD, value: isGuarded ? 1 : 0)
    }

    /// An earlier life of the project was to end with its supervision, which was lost together with its guard.
    package var mustEndLeftovers: Bool { records.mustEnd }

    /// They are known to whoever decides now.
    package func tookUpLeftovers() { records.mustEnd = false }

    /// A life before ours, whose records were lost, may have left something running.
    package var mustSearchLostLife: Bool { records.mustSearch }
    package func foundNoLostLife() {
        records.mustSearch = false
        groups?.removeFormer()
    }
    package var lostLifeSearch: LostLifeSearch { LostLifeSearch(nonce: records.nonce, besides: records) }

    package func record(_ stop: StopRecord, of id: ProcessID) {
        if process(id) != nil { records.setStop(stop, of: id.slot) }
    }

    /// Both programs are replaced as soon as we have ended, which is to be at once. Sends at once.
    ///
    /// - Parameters: descriptors of the programs, which stay the caller's.
    package func upgrade(program: Int32, keeper: Int32) {
        link?.hand(over: program, keeper)
        link?.flushAll()
    }

    /// Turns this very process into the keeper that was lost, which starts a supervisor again: there is no instant at
    /// which the lock is free or the guard could think both were gone. What is held is kept open by its key.
    /// Returns only when that can't be, with the errno.
    package func becomeKeeper(
        stateDirectory: String, arguments: [String], holding held: [(key: UInt64, descriptor: Int32)]
    ) -> Int32 {
        guard let descriptors else { return ENOTSUP }
        let program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
        guard program >= 0 else { return errno }
        defer { close(program) }
        let entries = held.prefix(Int(ORCH_HELD_LIMIT)).map { orch_held(key: $0.key, fd: $0.descriptor, unused: 0) }
        var handover = orch_handover()
        handover.count = UInt32(entries.count)
        handover.lock = descriptors.lock
        handover.records = descriptors.records
        handover.alarm = descriptors.alarm
        return CStringArray(arguments).withPointers { arguments in
            stateDirectory.withCString { directory in
                entries.withUnsafeBufferPointer { entries in
                    var succession = orch_succession(
                        keeper_fd: descriptors.keeper, program_fd: program, state_directory: directory,
                        handover: handover, held: entries.baseAddress, descriptor_limit: descriptorLimit,
                        arguments: arguments, environment: environ)
                    return -orch_become_keeper(&succession)
                }
            }
        }
    }
}
