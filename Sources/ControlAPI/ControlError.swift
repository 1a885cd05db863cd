package import SidecarModel

/// Why a request was not carried out: a closed code for programs, a sentence for people, and what goes with it.
package struct ControlError: Error, Hashable, Codable, Sendable {
    package enum Code: Int, Hashable, Codable, Sendable, CaseIterable {
        // JSON-RPC's own.
        case malformed = -32700
        case invalidRequest = -32600
        case unknownOperation = -32601
        case invalidParameters = -32602
        case `internal` = -32603
        // Ours.
        case requestTooLarge = -32001
        case incompatibleVersion = -32002
        case failed = 1
        case invalidManifest = 3
        case unknownSidecar = 4
        case noSupervisor = 5
        case timeout = 6
        case conflict = 7
        /// A stop that would pull the ground from running dependents; `names` lists them.
        case dependentsRunning = 8
        /// Of clients only: a signal ended their wait for an answer.
        case interrupted = 130
    }

    package var code: Code
    package var message: String
    /// Sidecars the sentence is about: dependents that run, names that are not declared.
    package var names: [String]
    /// `invalidManifest`: everything that is wrong with it.
    package var diagnostics: [Diagnostic]

    package init(_ code: Code, _ message: String, names: [String] = [], diagnostics: [Diagnostic] = []) {
        self.code = code
        self.message = message
        self.names = names
        self.diagnostics = diagnostics
    }

    /// What a command that ends with this error exits with.
    package var exitCode: ExitCode {
        switch code {
        case .malformed, .invalidRequest, .unknownOperation, .invalidParameters, .internal, .requestTooLarge: .bug
        case .failed: .failed
        case .invalidManifest: .invalidManifest
        case .unknownSidecar: .unknownSidecar
        case .noSupervisor: .noSupervisor
        case .timeout: .timeout
        case .conflict, .dependentsRunning, .incompatibleVersion: .conflict
        case .interrupted: .interrupted
        }
    }

    private enum Key: String, CodingKey { case code, message, data }
    private enum DataKey: String, CodingKey { case names, diagnostics }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        code = Code(rawValue: try container.decode(Int.self, forKey: .code)) ?? .internal
        message = try container.decode(String.self, forKey: .message)
        guard container.contains(.data) else {
            (names, diagnostics) = ([], [])
            return
        }
        let data = try container.nestedContainer(keyedBy: DataKey.self, forKey: .data)
        names = try data.decodeIfPresent([String].self, forKey: .names) ?? []
        diagnostics = try data.decodeIfPresent([Diagnostic].self, forKey: .diagnostics) ?? []
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(code.rawValue, forKey: .code)
        try container.encode(message, forKey: .message)
        guard !names.isEmpty || !diagnostics.isEmpty else { return }
        var data = container.nestedContainer(keyedBy: DataKey.self, forKey: .data)
        if !names.isEmpty { try data.encode(names, forKey: .names) }
        if !diagnostics.isEmpty { try data.encode(diagnostics, forKey: .diagnostics) }
    }
}
