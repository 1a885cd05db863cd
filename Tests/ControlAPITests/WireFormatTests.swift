import ControlAPI
import SidecarModel
import Testing

@Suite struct WireFormatTests {
    private func refusal(_ line: String) -> ControlError.Code? {
        do throws(RequestMessage.Refusal) {
            _ = try RequestMessage(line: line.utf8)
            return nil
        } catch {
            return error.error.code
        }
    }

    @Test func `a request comes back as it was sent`() throws {
        let line = WireFormat.request(Stop.self, id: 7, .init(names: ["db"], dependents: .cascade))
        #expect(line.last == UInt8(ascii: "\n"))
        let message = try RequestMessage(line: line.dropLast())
        #expect(message.id == .number(7))
        guard case .stop(let parameters) = message.request else {
            Issue.record("not a stop: \(message.request)")
            return
        }
        #expect(parameters == .init(names: ["db"], dependents: .cascade))
    }

    @Test(arguments: [
        ("{", ControlError.Code.malformed),
        ("", .malformed),
        ("\u{0}", .malformed),
        ("[]", .invalidRequest),
        ("1", .invalidRequest),
        (#"{"id":1,"method":"hello"}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","id":1,"method":"dance"}"#, .unknownOperation),
        (#"{"jsonrpc":"2.0","id":1,"method":"start"}"#, .invalidParameters),
        (#"{"jsonrpc":"2.0","id":1,"method":"start","params":{"names":"db"}}"#, .invalidParameters),
        (#"{"jsonrpc":"2.0","id":1,"method":"hurry","params":{"pace":"soon"}}"#, .invalidParameters),
    ])
    func `what is no request gets the code for it`(line: String, code: ControlError.Code) {
        #expect(refusal(line) == code)
    }

    @Test func `nesting without end is refused, not followed`() {
        #expect(refusal(String(repeating: "[", count: 1_000_000)) == .malformed)
    }

    @Test func `a wrong parameter is named`() {
        let line = #"{"jsonrpc":"2.0","id":"a","method":"start","params":{}}"#
        do throws(RequestMessage.Refusal) {
            _ = try RequestMessage(line: line.utf8)
        } catch {
            #expect(error.id == .text("a"))
            #expect(error.error.message == "the parameters of 'start' are wrong: 'params.names' is missing")
        }
    }

    @Test func `what is rehearsed is what is said`() {
        #expect(Rehearsal.ofClient())
        #expect(Rehearsal.ofSupervisor())
    }

    @Test func `an event is one flat object`() throws {
        let transition = TransitionEvent(
            instance: "mcp/0", incarnation: 3, from: .starting, to: .healthy, initiator: .probe,
            cause: "GET /health: 200")
        let message = EventMessage(sequence: 9, at: Timestamp(microseconds: 1), event: .transition(transition))
        #expect(
            WireFormat.json(message) == #"{"at":"1970-01-01T00:00:00.000001Z","cause":"GET /health: 200","#
                + #""from":"starting","incarnation":3,"initiator":"probe","instance":"mcp/0","kind":"transition","#
                + #""sequence":9,"to":"healthy"}"#)
        guard case .event(let back) = try WireFormat.serverMessage(WireFormat.event(message).dropLast()) else {
            Issue.record("not an event")
            return
        }
        #expect(back == message)
    }

    @Test func `a cause may hold quotes, control characters and other scripts`() throws {
        let transition = TransitionEvent(
            instance: "db", incarnation: 1, from: .healthy, to: .backoff, initiator: .exit,
            cause: "said \"no\"\n\u{1b}[31m\\ größer 火", causedBy: "web")
        let message = EventMessage(sequence: 1, at: Timestamp(microseconds: 2), event: .transition(transition))
        guard case .event(let back) = try WireFormat.serverMessage(WireFormat.event(message).dropLast()) else {
            Issue.record("not an event")
            return
        }
        #expect(back == message)
    }

    @Test func `that health is assumed is said where it is, also in the line that is written by hand`() throws {
        var transition = TransitionEvent(
            instance: "t", incarnation: 1, from: .starting, to: .healthy, initiator: .probe, cause: "alive for 1 s",
            isAssumed: true)
        for isAssumed in [true, nil] {
            transition.isAssumed = isAssumed
            let message = EventMessage(sequence: 1, at: Timestamp(microseconds: 2), event: .transition(transition))
            let line = String(decoding: WireFormat.event(message).dropLast(), as: UTF8.self)
            #expect(line.contains(#""assumed":true"#) == (isAssumed == true))
            // As it is written, and as only a decoder reads it.
            for bytes in [Array(line.utf8), Array((line + " ").utf8)] {
                guard case .event(let back) = try WireFormat.serverMessage(bytes[...]) else {
                    Issue.record("not an event")
                    continue
                }
                #expect(back == message)
            }
        }
    }

    /// Lines a transition may stand in: as we write it, and as another program of the same protocol might.
    @Test(arguments: [
        #"{"jsonrpc":"2.0","method":"event","params":{"kind":"transition","sequence":7,"at":"2026-11-25T10:00:00.123456Z","instance":"db/0","incarnation":3,"from":"starting","to":"healthy","initiator":"probe","cause":"größer 火"}}"#,
        #"{"jsonrpc":"2.0","method":"event","params":{"kind":"transition","sequence":7,"at":"2026-11-25T10:00:00.123456Z","instance":"db/0","incarnation":3,"from":"starting","to":"healthy","initiator":"probe","cause":"c","caused_by":"web"}}"#,
        #"{"jsonrpc":"2.0","method":"event","params":{"kind":"transition","sequence":7,"at":"2026-11-25T11:00:00+01:00","instance":"a \"b\"","incarnation":3,"from":"starting","to":"healthy","initiator":"probe","cause":"c","new_key":[1]}}"#,
        #"{"method":"event","params":{"sequence":7,"kind":"transition","at":"2026-11-25T10:00:00Z","instance":"db","incarnation":3,"from":"starting","to":"healthy","initiator":"probe","cause":"c"}}"#,
    ])
    func `a transition is read the same by the quick reader and by the decoder`(line: String) throws {
        // A space at the end is JSON all the same, and nothing the quick reader knows.
        guard case .event(let quick) = try WireFormat.serverMessage(Array(line.utf8)[...]),
            case .event(let thorough) = try WireFormat.serverMessage(Array((line + " ").utf8)[...])
        else {
            Issue.record("not an event")
            return
        }
        #expect(quick == thorough)
        #expect(quick.sequence == 7)
    }

    @Test(arguments: [
        #"{"jsonrpc":"2.0","method":"event","params":{"kind":"transition","sequence":18446744073709551616,"at":"2026-11-25T10:00:00.123456Z","instance":"db","incarnation":3,"from":"starting","to":"healthy","initiator":"probe","cause":"c"}}"#,
        #"{"jsonrpc":"2.0","method":"event","params":{"kind":"transition","sequence":1,"at":"2026-11-25T10:00:00.123456Z","instance":"db","incarnation":3,"from":"starting","to":"asleep","initiator":"probe","cause":"c"}}"#,
        #"{"jsonrpc":"2.0","method":"event","params":{"kind":"transition","sequence":1,"at":"2026-11-25T10:00:00.123456Z","instance":"db"#,
    ])
    func `a transition that is none is refused`(line: String) {
        #expect(throws: ControlError.self) { try WireFormat.serverMessage(Array(line.utf8)[...]) }
    }

    @Test(arguments: [
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00.000000Z"),
        ("2026-11-23t10:00:00.1234567z", "2026-11-23T10:00:00.123456Z"),
        ("2024-02-29 23:59:59.5+02:30", "2024-02-29T21:29:59.500000Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
    ])
    func `a time is read in every form of RFC 3339 and written in one`(text: String, written: String) throws {
        #expect(try #require(Timestamp(text)).description == written)
    }

    @Test(arguments: [
        "", "2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T10:00:00", "2026-11-23T10:00:00.Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:00:00Z ", "２026-11-23T10:00:00Z", "2026-11-23T10:00:00+0100",
    ])
    func `what is no time is not read as one`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `an error keeps its names and diagnostics`() throws {
        let error = ControlError(
            .invalidManifest, "wrong", names: ["a"], diagnostics: [Diagnostic(rule: "r", message: "m")])
        let line = WireFormat.failure(error, to: .number(1))
        #expect(throws: error) { try WireFormat.answer(line.dropLast(), of: Hello.self) }
        #expect(error.exitCode == .invalidManifest)
    }
}

@Suite struct EarlierVersionTests {
    @Test func `a summary that does not tell what was started is read`() throws {
        let line =
            #"{"jsonrpc":"2.0","id":1,"result":{"summary":{"changes":[],"unchanged":3,"wanted":["a"]},"#
            + #""lease_holder":false,"diagnostics":[],"created":[]}}"#
        let answer = try WireFormat.answer(Array(line.utf8)[...], of: Apply.self)
        #expect(answer.summary == ApplySummary(changes: [], started: [], unchanged: 3, wanted: ["a"]))
    }
}

@Suite struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (1_795_428_000_123_456, "2026-11-23T10:00:00.123456Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
    ])
    func `a moment is written and read as RFC 3339`(microseconds: Int64, text: String) {
        #expect(Timestamp(microseconds: microseconds).description == text)
        #expect(Timestamp(text) == Timestamp(microseconds: microseconds))
    }

    @Test func `offsets are taken off, nonsense is not a time`() {
        #expect(Timestamp("2026-11-23T12:00:00+02:00") == Timestamp("2026-11-23T10:00:00Z"))
        for text in [
            "", "2026", "2026-13-01T00:00:00Z", "2026-11-23T10:00:00", "2026-11-23T10:00:00.Z", "é026-11-23T10:00:00Z",
        ] {
            #expect(Timestamp(text) == nil)
        }
    }
}

@Suite struct LineFramingTests {
    @Test func `lines are cut wherever the bytes were`() {
        var framing = LineFraming(limit: 10)
        #expect(framing.append("ab".utf8) == [])
        #expect(framing.append("c\nde\n\nf".utf8) == [.line(Array("abc".utf8)[...]), .line(Array("de".utf8)[...])])
        #expect(framing.finish() == Array("f".utf8)[...])
    }

    @Test func `a line past the limit is told once and skipped`() {
        var framing = LineFraming(limit: 4)
        #expect(framing.append("12345".utf8) == [.tooLong])
        #expect(framing.append("6789".utf8) == [])
        #expect(framing.append("0\nab\n".utf8) == [.line(Array("ab".utf8)[...])])
        #expect(framing.append("12345\nab\n".utf8) == [.tooLong, .line(Array("ab".utf8)[...])])
    }
}

@Suite struct ShownJSONTests {
    @Test func `what would steer a terminal is escaped the way readers undo`() {
        let text = "a\u{1b}]0;x\u{7}\u{9b}2J\u{7f}\u{202e}\u{2028}é/"
        let json = WireFormat.json([text])
        #expect(json == #"["a\u001b]0;x\u0007\u009b2J\u007f\u202e\u2028é/"]"#)
    }
}
