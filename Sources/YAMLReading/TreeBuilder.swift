import SidecarModel

/// Collects events into the arrays of a document.
struct TreeBuilder {
    struct Frame {
        var node: UInt32
        /// Where its children begin on the stack of those that have no parent yet.
        var firstChild: Int
    }

    struct Mark {
        var line: UInt32
        var column: UInt32
    }

    private(set) var nodes: [YAMLDocument.Node] = []
    private(set) var links: [UInt32] = []
    private(set) var text: [UInt8] = []
    private(set) var frames: [Frame] = []
    private var pending: [UInt32] = []
    private var anchors: [String: UInt32] = [:]
    private var aliasedNodes = 0
    private(set) var problems: [(rule: YAMLRule, message: String, help: String?, node: UInt32, related: UInt32?)] = []
    private(set) var root: UInt32?

    init(byteCount: Int) {
        // More than most manifests need: what is not touched costs nothing, and to grow is to copy.
        nodes.reserveCapacity(byteCount / 6)
        links.reserveCapacity(byteCount / 6)
        text.reserveCapacity(byteCount)
    }

    var nodeCount: Int { nodes.count }

    /// A key is expected next, or an item or value.
    var expectsKey: Bool {
        guard let frame = frames.last, nodes[Int(frame.node)].kind == .mapping else { return false }
        return (pending.count - frame.firstChild) % 2 == 0
    }

    mutating func addScalar(
        _ value: UnsafeBufferPointer<UInt8>, style: YAMLDocument.Style, tag: YAMLDocument.Tag, from start: Mark,
        to end: Mark
    ) -> UInt32 {
        let isKey = expectsKey
        let id = UInt32(nodes.count)
        nodes.append(
            YAMLDocument.Node(
                kind: .scalar, style: style, tag: tag, line: start.line, column: start.column,
                endLine: end.line, endColumn: end.column, start: UInt32(text.count), count: UInt32(value.count),
                size: 1, keyHash: isKey ? StableHasher.keyHash(value) : 0))
        text.append(contentsOf: value)
        // A raw one was refused before: only an escape can write it.
        if style == .quoted, value.contains(0) {
            report(
                .controlCharacter, "the text contains a NUL byte", at: id,
                help: "remove it: arguments, variables and paths end at a NUL")
        }
        place(id)
        return id
    }

    mutating func open(_ kind: YAMLDocument.Kind, at start: Mark, to end: Mark) -> UInt32 {
        if expectsKey {
            report(.keyNotText, "a key must be text, not a list or mapping", at: UInt32(nodes.count))
        }
        let id = UInt32(nodes.count)
        nodes.append(
            YAMLDocument.Node(
                kind: kind, style: .plain, tag: .none, line: start.line, column: start.column,
                endLine: end.line, endColumn: end.column, start: 0, count: 0, size: 1, keyHash: 0))
        frames.append(Frame(node: id, firstChild: pending.count))
        return id
    }

    mutating func close() {
        guard let frame = frames.popLast() else { return }
        let isMapping = nodes[Int(frame.node)].kind == .mapping
        var size: UInt32 = 1
        // By index: a slice would hold on to the stack, and shortening it would copy it.
        for position in frame.firstChild..<pending.count {
            size = size.addingSaturated(nodes[Int(pending[position])].size)
        }
        let start = links.count
        if isMapping {
            linkPairs(from: frame.firstChild)
        } else {
            for position in frame.firstChild..<pending.count { links.append(pending[position]) }
        }
        nodes[Int(frame.node)].start = UInt32(start)
        nodes[Int(frame.node)].count = UInt32(isMapping ? (links.count - start) / 2 : links.count - start)
        nodes[Int(frame.node)].size = size
        pending.removeLast(pending.count - frame.firstChild)
        place(frame.node)
    }

    mutating func anchor(_ name: String, to id: UInt32) {
        if let earlier = anchors[name] {
            report(
                .duplicateAnchor, "the anchor '&\(name)' is already defined", at: id, related: earlier,
                help: "give it another name")
        }
        anchors[name] = id
    }

    /// Nil when there is no such anchor, or too much was aliased.
    mutating func alias(_ name: String, at mark: Mark, to end: Mark) -> Bool {
        guard let target = anchors[name] else {
            let id = placeholder(at: mark, to: end)
            report(
                .unknownAlias, "there is no anchor '&\(name)' before this alias", at: id,
                help: "if '*\(name)' is meant as text, quote it")
            place(id)
            return true
        }
        if frames.contains(where: { $0.node == target }) {
            let id = placeholder(at: mark, to: end)
            report(.recursiveAlias, "the alias '*\(name)' stands inside what it names", at: id, related: target)
            place(id)
            return true
        }
        aliasedNodes += Int(nodes[Int(target)].size)
        if expectsKey, nodes[Int(target)].kind == .scalar, nodes[Int(target)].keyHash == 0 {
            let node = nodes[Int(target)]
            nodes[Int(target)].keyHash = text.withUnsafeBufferPointer {
                StableHasher.keyHash(UnsafeBufferPointer(rebasing: $0[Int(node.start)..<Int(node.start + node.count)]))
            }
        } else if expectsKey, nodes[Int(target)].kind != .scalar {
            report(.keyNotText, "a key must be text, not a list or mapping", at: target)
        }
        place(target)
        return aliasedNodes <= YAMLLimits.aliasedNodes
    }

    mutating func report(
        _ rule: YAMLRule, _ message: String, at node: UInt32, related: UInt32? = nil, help: String? = nil
    ) {
        problems.append((rule, message, help, node, related))
    }

    private mutating func placeholder(at start: Mark, to end: Mark) -> UInt32 {
        let id = UInt32(nodes.count)
        nodes.append(
            YAMLDocument.Node(
                kind: .scalar, style: .quoted, tag: .unread, line: start.line, column: start.column,
                endLine: end.line, endColumn: end.column, start: 0, count: 0, size: 1, keyHash: 0))
        return id
    }

    private mutating func place(_ id: UInt32) {
        if frames.isEmpty { root = id } else { pending.append(id) }
    }

    /// Own entries in their order, then those of merge keys that were not set.
    private mutating func linkPairs(from firstChild: Int) {
        let start = links.count
        var merges: [UInt32] = []
        var mergeKey: UInt32?
        var position = firstChild
        while position + 1 < pending.count {
            let key = pending[position]
            let value = pending[position + 1]
            position += 2
            if isMergeKey(key) {
                if let mergeKey {
                    reportDuplicate(key, of: mergeKey, help: "keep one, with a list of all: <<: [*a, *b]")
                }
                mergeKey = mergeKey ?? key
                merges.append(value)
            } else {
                links.append(key)
                links.append(value)
            }
        }
        reportDuplicates(from: start)
        for value in merges { merge(value, into: start) }
    }

    private func isMergeKey(_ id: UInt32) -> Bool {
        let node = nodes[Int(id)]
        return node.kind == .scalar && node.style == .plain && node.count == 2 && node.tag == .none
            && text[Int(node.start)] == UInt8(ascii: "<") && text[Int(node.start) + 1] == UInt8(ascii: "<")
    }

    private mutating func merge(_ value: UInt32, into start: Int) {
        let node = nodes[Int(value)]
        switch node.kind {
        case .mapping: mergeMapping(value, into: start)
        case .sequence:
            for item in links[Int(node.start)..<Int(node.start + node.count)] {
                if nodes[Int(item)].kind == .mapping {
                    mergeMapping(item, into: start)
                } else if nodes[Int(item)].tag != .unread {
                    report(.mergeNotMapping, "'<<' merges mappings, and this is none", at: item)
                }
            }
        // What stands for an alias that means nothing was reported as that.
        case .scalar where node.tag == .unread: break
        case .scalar:
            report(.mergeNotMapping, "'<<' merges a mapping or a list of mappings, and this is text", at: value)
        }
    }

    private mutating func mergeMapping(_ source: UInt32, into start: Int) {
        let node = nodes[Int(source)]
        for pair in 0..<Int(node.count) {
            let key = links[Int(node.start) + 2 * pair]
            let value = links[Int(node.start) + 2 * pair + 1]
            var isSet = false
            for other in stride(from: start, to: links.count, by: 2) where sameKey(links[other], key) {
                isSet = true
                break
            }
            if !isSet { links.append(key); links.append(value) }
        }
    }

    private func sameKey(_ left: UInt32, _ right: UInt32) -> Bool {
        let a = nodes[Int(left)]
        let b = nodes[Int(right)]
        return a.keyHash == b.keyHash && a.kind == .scalar && b.kind == .scalar && a.count == b.count
            && text[Int(a.start)..<Int(a.start + a.count)].elementsEqual(text[Int(b.start)..<Int(b.start + b.count)])
    }

    private mutating func reportDuplicates(from start: Int) {
        let keys = (links.count - start) / 2
        guard keys > 1 else { return }
        guard keys > 24 else {
            for later in 1..<keys {
                let key = links[start + 2 * later]
                for earlier in 0..<later where sameKey(links[start + 2 * earlier], key) {
                    reportDuplicate(key, of: links[start + 2 * earlier])
                    break
                }
            }
            return
        }
        var byHash: [UInt32: [UInt32]] = [:]
        byHash.reserveCapacity(keys)
        for position in 0..<keys {
            let key = links[start + 2 * position]
            let hash = nodes[Int(key)].keyHash
            if let earlier = byHash[hash]?.first(where: { sameKey($0, key) }) { reportDuplicate(key, of: earlier) }
            byHash[hash, default: []].append(key)
        }
    }

    private mutating func reportDuplicate(
        _ key: UInt32, of earlier: UInt32, help: String = "keep one of them"
    ) {
        let node = nodes[Int(key)]
        let name = String(decoding: text[Int(node.start)..<Int(node.start + node.count)], as: UTF8.self)
        report(
            .duplicateKey, "the key '\(name)' is given twice", at: key, related: earlier, help: help)
    }
}

extension UInt32 {
    fileprivate func addingSaturated(_ other: UInt32) -> UInt32 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
