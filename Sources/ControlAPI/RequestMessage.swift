import FoundationEssentials

/// JSON-RPC's request id. A request without one is a notification and gets no answer.
package enum RequestID: Hashable, Codable, Sendable {
    case number(Int64)
    case text(String)

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int64.self) {
            self = .number(number)
        } else {
            self = .text(try container.decode(String.self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        }
    }
}

/// A line from a client, read as far as it makes sense.
package struct RequestMessage: Sendable {
    enum Key: String, CodingKey { case jsonrpc, id, method, params }

    /// Nil: nobody waits for an answer.
    package var id: RequestID?
    package var request: ControlRequest

    /// What is wrong with a line, and whom to tell.
    package struct Refusal: Error, Sendable {
        package var id: RequestID?
        package var error: ControlError
        /// False: it was a request nobody wanted an answer to.
        package var isTold = true
    }

    /// Reads one line without its newline. Never traps, whatever the bytes are.
    package init(line: some Sequence<UInt8>) throws(Refusal) {
        let envelope: Envelope
        do {
            envelope = try JSONDecoder().decode(Envelope.self, from: Data(line))
        } catch {
            throw Refusal(id: nil, error: ControlError(.malformed, "the request is not one line of JSON"))
        }
        id = envelope.id
        switch envelope.content {
        case .success(let request): self.request = request
        case .failure(let error): throw Refusal(id: envelope.id, error: error, isTold: !envelope.isNotification)
        }
    }

    /// Decoding never throws for well-formed JSON, so that the id is known whatever else is wrong.
    private struct Envelope: Decodable {
        var id: RequestID?
        /// A request as far as can be told, and no id at all: one that can't be read is not the same as none.
        var isNotification = false
        var content: Result<ControlRequest, ControlError>

        init(from decoder: any Decoder) throws {
            guard let container = try? decoder.container(keyedBy: Key.self) else {
                content = .failure(ControlError(.invalidRequest, "a request is a JSON object; batches are not taken"))
                return
            }
            let hasID = container.contains(.id)
            if hasID {
                guard let id = try? container.decode(RequestID.self, forKey: .id) else {
                    content = .failure(
                        ControlError(.invalidRequest, "the \"id\" of a request is a string or an integer below 2^63"))
                    return
                }
                self.id = id
            }
            guard (try? container.decode(String.self, forKey: .jsonrpc)) == "2.0",
                let method = try? container.decode(String.self, forKey: .method)
            else {
                content = .failure(ControlError(.invalidRequest, "a request has \"jsonrpc\": \"2.0\" and a \"method\""))
                return
            }
            isNotification = !hasID
            do {
                if let request = try ControlRequest(method: method, from: container) {
                    content = .success(request)
                } else {
                    content = .failure(ControlError(.unknownOperation, "there is no operation '\(method.prefix(64))'"))
                }
            } catch {
                content = .failure(
                    ControlError(.invalidParameters, "the parameters of '\(method)' are wrong: \(sentence(for: error))")
                )
            }
        }
    }
}

/// What a decoding error says, in the words of the wire.
private func sentence(for error: any Error) -> String {
    func place(_ context: DecodingError.Context) -> String {
        context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case DecodingError.keyNotFound(let key, let context):
        return "'\((context.codingPath.map(\.stringValue) + [key.stringValue]).joined(separator: "."))' is missing"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
        return "'\(place(context))' has the wrong type"
    case DecodingError.dataCorrupted(let context):
        return "'\(place(context))' has a value that is not one of those allowed"
    default:
        return "they can't be read"
    }
}
