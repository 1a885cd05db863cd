package import SidecarModel

/// A node of a document, by its place in it.
package struct NodeID: Hashable, Sendable {
    package let index: UInt32

    init(_ index: UInt32) { self.index = index }
}

/// A parsed document: a tree whose every node, keys too, knows where it stands.
///
/// The tree is three flat arrays. An alias is the node it stands for; a merge key's entries are appended to the
/// mapping's own. Texts are bytes, made a `String` only when asked for.
package final class YAMLDocument: Sendable {
    package enum Kind: UInt8, Sendable { case scalar, sequence, mapping }

    package enum Style: UInt8, Sendable { case plain, quoted, block }

    /// What a text is to be read as. Tags of collections say nothing that their form doesn't.
    enum Tag: UInt8, Sendable {
        /// By its look, where it is plain.
        case none
        /// `!!str` or `!`: text whatever it looks like.
        case text
        case null
        /// `!!int` and the like: by the core schema, quoted or not.
        case typed
        /// Stands for what could not be read, and was reported.
        case unread
    }

    struct Node: Sendable {
        var kind: Kind
        var style: Style
        var tag: Tag
        var line: UInt32
        var column: UInt32
        var endLine: UInt32
        var endColumn: UInt32
        /// Of scalars: first byte in `text`. Of collections: first entry in `links`.
        var start: UInt32
        /// Of scalars: bytes. Of sequences: items. Of mappings: pairs.
        var count: UInt32
        /// Nodes of the subtree with aliases written out.
        var size: UInt32
        var keyHash: UInt32
    }

    package let source: SourceText
    package let root: NodeID?
    let nodes: [Node]
    let links: [UInt32]
    let text: [UInt8]

    init(source: SourceText, root: NodeID?, nodes: [Node], links: [UInt32], text: [UInt8]) {
        self.source = source
        self.root = root
        self.nodes = nodes
        self.links = links
        self.text = text
    }

    package func kind(_ id: NodeID) -> Kind { nodes[Int(id.index)].kind }

    package func style(_ id: NodeID) -> Style { nodes[Int(id.index)].style }

    /// Items of a sequence, pairs of a mapping, bytes of a scalar.
    package func count(_ id: NodeID) -> Int { Int(nodes[Int(id.index)].count) }

    package func item(_ id: NodeID, at position: Int) -> NodeID {
        NodeID(links[Int(nodes[Int(id.index)].start) + position])
    }

    package func pair(_ id: NodeID, at position: Int) -> (key: NodeID, value: NodeID) {
        let first = Int(nodes[Int(id.index)].start) + 2 * position
        return (NodeID(links[first]), NodeID(links[first + 1]))
    }

    package func items(_ id: NodeID) -> [NodeID] {
        guard kind(id) == .sequence else { return [] }
        return (0..<count(id)).map { item(id, at: $0) }
    }

    package func pairs(_ id: NodeID) -> [(key: NodeID, value: NodeID)] {
        guard kind(id) == .mapping else { return [] }
        return (0..<count(id)).map { pair(id, at: $0) }
    }

    /// By `StableHasher.keyHash`. Only keys of mappings have one.
    package func keyHash(_ id: NodeID) -> UInt32 { nodes[Int(id.index)].keyHash }

    /// The text of a scalar; empty for anything else.
    package func string(_ id: NodeID) -> String {
        withText(id) { String(decoding: $0, as: UTF8.self) }
    }

    package func withText<Result>(_ id: NodeID, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        let node = nodes[Int(id.index)]
        return text.withUnsafeBufferPointer { bytes in
            guard node.kind == .scalar else { return body(UnsafeBufferPointer(start: nil, count: 0)) }
            return body(UnsafeBufferPointer(rebasing: bytes[Int(node.start)..<Int(node.start + node.count)]))
        }
    }

    package func text(of id: NodeID, equals other: String) -> Bool {
        var other = other
        return other.withUTF8 { wanted in
            withText(id) { $0.count == wanted.count && $0.elementsEqual(wanted) }
        }
    }

    /// A plain `null`, `~`, or nothing at all; in quotes too where a tag says so.
    package func isNull(_ id: NodeID) -> Bool {
        let node = nodes[Int(id.index)]
        guard node.kind == .scalar, node.tag == .null || node.tag == .none && node.style == .plain else {
            return false
        }
        switch node.count {
        case 0: return true
        case 1: return text[Int(node.start)] == UInt8(ascii: "~")
        case 4:
            let text = string(id)
            return text == "null" || text == "Null" || text == "NULL"
        default: return false
        }
    }

    /// It stands in place of an alias that leads nowhere.
    package func isUnread(_ id: NodeID) -> Bool { nodes[Int(id.index)].tag == .unread }

    /// What the core schema may read as something else than text: plain, or by a tag that decides for it.
    package func isPlain(_ id: NodeID) -> Bool {
        let node = nodes[Int(id.index)]
        return switch node.tag {
        case .none: node.kind == .scalar && node.style == .plain
        case .text, .unread: false
        case .null, .typed: node.kind == .scalar
        }
    }

    /// The value of a key of a mapping, O(keys).
    package func value(of key: String, in id: NodeID) -> NodeID? { entry(key, in: id)?.value }

    package func entry(_ key: String, in id: NodeID) -> (key: NodeID, value: NodeID)? {
        guard kind(id) == .mapping else { return nil }
        let hash = StableHasher.keyHash(key)
        for position in 0..<count(id) {
            let pair = pair(id, at: position)
            if keyHash(pair.key) == hash, text(of: pair.key, equals: key) { return pair }
        }
        return nil
    }

    /// Where a node stands. A collection, or a scalar of several lines, is underlined to the end of its first line.
    package func location(of id: NodeID) -> SourceLocation {
        let node = nodes[Int(id.index)]
        let length = node.endLine == node.line ? Int(node.endColumn) - Int(node.column) : Int.max
        return source.location(line: Int(node.line), column: Int(node.column), length: max(1, length))
    }
}
