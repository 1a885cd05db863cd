import Glibc

/// A client of a sidecar that runs a process for each: by `attach`, or by the socket as any program does.
final class Conversation {
    private enum Way {
        case attached(Attachment)
        case connected(StreamClient)
    }

    let door: String
    private let way: Way
    /// Who answers, once somebody did.
    private(set) var partner: String?
    private(set) var isOver = false
    /// It is to go on whatever happens.
    var isPromised = false
    /// It is to be ended by others, which may take a while.
    var isDoomed = false
    /// What is wrong with the answers.
    private(set) var fault: String?
    private(set) var hasInput = true
    private var said = 0
    private var heard = 0
    private var read = 0

    init(attachedTo door: String, in sandbox: Sandbox) throws {
        self.door = door
        way = .attached(try Attachment(lentTo: door, in: sandbox))
    }

    /// Throws where nobody listens.
    init(connectedTo door: String, at path: String) throws {
        self.door = door
        way = .connected(try StreamClient(path))
    }

    func say() {
        guard hasInput else { return }
        switch way {
        case .attached(let client): client.send("\(said)")
        case .connected(let client): client.send("\(said)")
        }
        said += 1
    }

    /// Takes in what was answered by now.
    func hear() {
        guard !isOver else { return }
        let text: String
        switch way {
        case .attached(let client):
            // Looked at before the last of its output.
            isOver = client.program.isOver
            text = client.program.printed
        case .connected(let client):
            isOver = !client.look()
            text = client.text
        }
        let whole = text.utf8.lastIndex(of: UInt8(ascii: "\n")).map { text[..<$0] } ?? ""
        let lines = whole.split(separator: "\n")
        for line in lines.dropFirst(read) { hear(line) }
        read = lines.count
    }

    private func hear(_ line: Substring) {
        let words = line.split(separator: " ")
        guard words.count == 2 else {
            fault = "heard '\(line)'"
            return
        }
        let expected = partner == nil ? "hello" : "\(heard)"
        if partner != nil { heard += 1 }
        partner = partner ?? String(words[0])
        if String(words[0]) != partner || words[1] != expected {
            fault = "\(partner ?? "") was to say \(expected): '\(line)'"
        }
    }

    /// How the client saw it end.
    var ending: String {
        guard case .attached(let client) = way else { return "the other end is closed" }
        guard let ended = try? client.program.end(within: 1) else { return "attach has closed its output" }
        return "attach ended with \(ended.status): \(ended.errors)"
    }

    /// All that was said was answered.
    var isAnswered: Bool { partner != nil && heard == said }

    enum Farewell: CaseIterable { case hangUp, endInput, kill, terminate }

    /// Leaves; who only ends its input has said what it has to say, and stays as long as the process does.
    func leave(_ farewell: Farewell) {
        hasInput = false
        switch (way, farewell) {
        case (.attached(let client), .endInput): client.endInput()
        case (.attached(let client), .terminate): client.program.signal(SIGTERM)
        case (.attached(let client), _):
            client.program.signal(SIGKILL)
            client.endInput()
        case (.connected(let client), .endInput): client.endInput()
        case (.connected(let client), _): client.hangUp()
        }
    }

    /// Has the process end itself. Over `attach` its code is seen: nil where nobody tells. Throws when it does not end.
    func end(with code: Int) throws -> Int32? {
        switch way {
        case .connected(let client):
            client.send("exit \(code)")
            return nil
        case .attached(let client):
            client.send("exit \(code)")
            return try client.program.end(within: 30).status
        }
    }

    func close() {
        leave(.kill)
        if case .attached(let client) = way { _ = try? client.program.end(within: 10) }
        isOver = true
    }
}
