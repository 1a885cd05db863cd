import ControlClient

extension Patience {
    /// This command's.
    static func ofCommand(timeout: Duration? = nil) -> Patience {
        Patience(timeout: timeout, isInterrupted: { SignalWatch.isInterrupted }) { Console.printError($0) }
    }
}
