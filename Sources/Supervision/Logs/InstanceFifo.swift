/// The FIFOs an instance may have, by the ending of their names.
enum InstanceFifo: String, CaseIterable {
    case output = "out"
    case error = "err"
    /// What a client writes and the sidecar reads.
    case input = "in"
    /// Held open for writing by the client that is attached, and by nobody else: its end shows as a hang-up.
    case presence = "client"

    func name(of instance: LogInstance) -> String { "\(instance.stem).\(rawValue)" }
}
