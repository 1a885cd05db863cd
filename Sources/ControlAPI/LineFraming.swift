/// Cuts a byte stream into lines and keeps no more than one of them.
package struct LineFraming: Sendable {
    package enum Piece: Hashable, Sendable {
        /// Without its newline.
        case line(ArraySlice<UInt8>)
        /// A line went past the limit. Told once; the rest of it is skipped.
        case tooLong
    }

    private let limit: Int
    private var pending: [UInt8] = []
    /// Bytes of `pending` known to hold no newline.
    private var searched = 0
    private var isSkipping = false

    package init(limit: Int) { self.limit = limit }

    /// Takes what arrived, and answers what it completes.
    package mutating func append(_ bytes: some Collection<UInt8>) -> [Piece] {
        pending.append(contentsOf: bytes)
        var pieces: [Piece] = []
        var start = 0
        while let newline = pending[max(start, searched)...].firstIndex(of: UInt8(ascii: "\n")) {
            if isSkipping {
                isSkipping = false
            } else if newline - start >= limit {
                pieces.append(.tooLong)
            } else if newline > start {
                pieces.append(.line(pending[start..<newline]))
            }
            start = newline + 1
            searched = start
        }
        pending.removeFirst(start)
        if !isSkipping, pending.count >= limit {
            isSkipping = true
            pieces.append(.tooLong)
        }
        if isSkipping { pending.removeAll() }
        searched = pending.count
        return pieces
    }

    /// What stands after the last newline, as a last line may at the end of a stream.
    package mutating func finish() -> ArraySlice<UInt8>? {
        defer { pending.removeAll() }
        return pending.isEmpty || isSkipping ? nil : pending[...]
    }
}
