import FoundationEssentials
import SidecarModel

/// Messages to bytes and back, each one line with its newline.
package enum WireFormat {
    private static let version = "2.0"

    private struct Notification: Encodable {
        var jsonrpc = version
        var method: String
        var params: EventMessage
    }

    private struct Success<Answer: Encodable>: Encodable {
        var jsonrpc = version
        var id: RequestID
        var result: Answer
    }

    private struct Failure: Encodable {
        enum Key: String, CodingKey { case jsonrpc, id, error }

        var id: RequestID?
        var error: ControlError

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(version, forKey: .jsonrpc)
            // JSON-RPC wants a null id where the request's could not be read.
            try container.encode(id, forKey: .id)
            try container.encode(error, forKey: .error)
        }
    }

    private struct Reply<Answer: Decodable>: Decodable {
        var result: Answer?
        var error: ControlError?
    }

    /// What a client sees of a line before it knows which answer it is.
    private struct Incoming: Decodable {
        var id: Int64?
        var method: String?
        var params: EventMessage?
    }

    package enum ServerMessage: Sendable {
        case event(EventMessage)
        /// The answer to the request of this id; its line still to be read by `answer(_:of:)`. Nil where the server
        /// could not tell which request it refuses.
        case reply(id: Int64?)
    }

    /// What is the same whenever a request is sent.
    package static func parameters(_ parameters: some Encodable) -> [UInt8] { encode(parameters) }

    package static func request<Operation: ControlOperation>(
        _: Operation.Type, id: Int64, _ parameters: Operation.Parameters
    ) -> [UInt8] {
        request(Operation.self, id: id, encoded: encode(parameters))
    }

    package static func request<Operation: ControlOperation>(
        _: Operation.Type, id: Int64, encoded parameters: [UInt8]
    ) -> [UInt8] {
        // Names of methods are words.
        Array(#"{"jsonrpc":"\#(version)","id":\#(id),"method":"\#(Operation.method)","params":"#.utf8) + parameters
            + Array("}\n".utf8)
    }

    package static func response(_ response: ControlResponse, to id: RequestID) -> [UInt8] {
        func encode(_ answer: some Encodable & Sendable) -> [UInt8] { line(Success(id: id, result: answer)) }
        return encode(response.body)
    }

    package static func failure(_ error: ControlError, to id: RequestID?) -> [UInt8] {
        line(Failure(id: id, error: error))
    }

    package static func event(_ event: EventMessage) -> [UInt8] {
        if case .transition(let transition) = event.event, transition.report == nil {
            return TransitionLine(event, transition).bytes
        }
        return line(Notification(method: "event", params: event))
    }

    /// Any value as the JSON people and programs get from `--json`: sorted keys, slashes as they are.
    package static func json(_ value: some Encodable, pretty: Bool = false) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return "null" }
        return String(decoding: data, as: UTF8.self).escapingWhatSteersTerminals
    }

    /// Sorts a line from the server. Throws `ControlError` when it is not one this version understands.
    package static func serverMessage(_ bytes: ArraySlice<UInt8>) throws(ControlError) -> ServerMessage {
        if let transition = TransitionLineReader.read(bytes) { return .event(transition) }
        let incoming: Incoming = try decode(Data(bytes))
        guard incoming.method == "event", let event = incoming.params else { return .reply(id: incoming.id) }
        return .event(event)
    }

    /// The answer in a reply, or the error it carries.
    package static func answer<Operation: ControlOperation>(
        _ bytes: some Sequence<UInt8>, of _: Operation.Type
    ) throws(ControlError) -> Operation.Answer {
        let reply: Reply<Operation.Answer> = try decode(Data(bytes))
        if let error = reply.error { throw error }
        guard let result = reply.result else {
            throw ControlError(.internal, "the supervisor's answer to '\(Operation.method)' has no result")
        }
        return result
    }

    private static func decode<Value: Decodable>(_ data: Data) throws(ControlError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw ControlError(.internal, "the supervisor sent what this version of orchestrate can't read")
        }
    }

    private static func line(_ value: some Encodable) -> [UInt8] { encode(value) + [UInt8(ascii: "\n")] }

    private static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // Encoding fails only for numbers JSON has no form for, and no type of the wire has one.
        guard let data = try? encoder.encode(value) else {
            return Array(#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"encoding failed"}}"#.utf8)
        }
        return [UInt8](data)
    }
}

extension String {
    /// JSON whose reader gets the same text and whose terminal gets nothing to obey: encoders leave C1 controls, DEL and
    /// the marks that reorder a line as they are. Outside of its strings JSON has none of them.
    fileprivate var escapingWhatSteersTerminals: String {
        guard unicodeScalars.contains(where: \.needsEscape) else { return self }
        var escaped = ""
        for scalar in unicodeScalars {
            guard scalar.needsEscape else {
                escaped.unicodeScalars.append(scalar)
                continue
            }
            let digits = String(scalar.value, radix: 16)
            escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return escaped
    }
}

extension Unicode.Scalar {
    /// Those below the space are escaped by the encoder; what stands between values is its own.
    fileprivate var needsEscape: Bool { value >= 0x20 && steersTerminal }
}
