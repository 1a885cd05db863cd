import ControlAPI

/// libFuzzer's entry: bytes from either end of the control socket are cut into lines the same way however they arrive,
/// and each line is taken or refused. What was taken for a request is still one after it was written again. Built by
/// `Scripts/fuzz` alone.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzControl(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let whole = lines(of: [bytes[...]])
    let cut = bytes.first.map { min(count, Int($0)) } ?? 0
    precondition(lines(of: [bytes[..<cut], bytes[cut...]]) == whole)
    for case .line(let line) in whole {
        readAsServer(line)
        readAsClient(line)
    }
    return 0
}

private func lines(of pieces: [ArraySlice<UInt8>]) -> [LineFraming.Piece] {
    var framing = LineFraming(limit: 1024)
    return pieces.flatMap { framing.append($0) }
}

private func readAsServer(_ line: ArraySlice<UInt8>) {
    do throws(RequestMessage.Refusal) {
        _ = try RequestMessage(line: line)
    } catch {
        // A refusal is always something that can be sent.
        let answer = WireFormat.failure(error.error, to: error.id)
        precondition(answer.last == 0x0a && answer.dropLast().allSatisfy { $0 != 0x0a })
    }
}

private func readAsClient(_ line: ArraySlice<UInt8>) {
    switch try? WireFormat.serverMessage(line) {
    case .event(let message): precondition(WireFormat.event(message).last == 0x0a)
    case .reply, nil: break
    }
    read(line, as: Hello.self)
    read(line, as: Apply.self)
    read(line, as: Down.self)
    read(line, as: Status.self)
    read(line, as: Subscribe.self)
    read(line, as: Environment.self)
    read(line, as: Ports.self)
    read(line, as: Lease.self)
    read(line, as: RunTask.self)
    read(line, as: Attach.self)
}

/// What can be read can be written, and reads as the same.
private func read<Operation: ControlOperation>(_ line: ArraySlice<UInt8>, as _: Operation.Type) {
    guard let answer = try? WireFormat.answer(line, of: Operation.self) else { return }
    let again = Array("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\(WireFormat.json(answer))}".utf8)
    precondition((try? WireFormat.answer(again, of: Operation.self)) != nil)
}
