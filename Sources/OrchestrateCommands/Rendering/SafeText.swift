import DiagnosticRendering

extension String {
    /// The text with whatever could steer a terminal made visible.
    var terminalSafe: String { TerminalText.safe(self) }
}
