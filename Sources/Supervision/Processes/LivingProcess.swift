import CProcess

extension orch_process_facts {
    /// Nil: there is no such process, or it has ended and is only not reaped yet.
    init?(living pid: Int32) {
        self.init()
        guard orch_process_look(pid, &self) == 0 else { return nil }
        let state = UInt8(bitPattern: self.state)
        if state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") { return nil }
    }
}
