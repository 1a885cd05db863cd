/// Lexically: symbolic links are not resolved, as a project reached through another link is another project.
package func absolutePath(_ path: String, from directory: String) -> String {
    let full = path.utf8.first == UInt8(ascii: "/") ? path : directory + "/" + path
    guard needsNormalising(full) else { return full }
    var parts: [Substring] = []
    for part in full.split(separator: "/") {
        switch part {
        case ".": continue
        case "..": _ = parts.popLast()
        default: parts.append(part)
        }
    }
    return "/" + parts.joined(separator: "/")
}

/// An empty part, `.` or `..`, or a slash at the end.
private func needsNormalising(_ path: String) -> Bool {
    var dots = 0
    var length = 0
    for byte in path.utf8.dropFirst() {
        guard byte == UInt8(ascii: "/") else {
            if byte == UInt8(ascii: ".") { dots += 1 }
            length += 1
            continue
        }
        if length == 0 || (dots == length && dots <= 2) { return true }
        (dots, length) = (0, 0)
    }
    return path.utf8.count > 1 && (length == 0 || (dots == length && dots <= 2))
}

package func parentDirectory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
}

package func lastComponent(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
}

extension String {
    func range(ofASCII wanted: String) -> Range<String.Index>? {
        let needle = Array(wanted.utf8)
        var start = utf8.startIndex
        while let first = utf8[start...].firstIndex(of: needle[0]) {
            if utf8[first...].starts(with: needle) {
                return first..<utf8.index(first, offsetBy: needle.count)
            }
            start = utf8.index(after: first)
        }
        return nil
    }
}
