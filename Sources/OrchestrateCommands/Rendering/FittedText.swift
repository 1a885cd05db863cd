extension String {
    /// Its first so many letters. Sequences that set colours have no width, and stay: none is left open.
    func fitted(to width: Int) -> String {
        var room = width
        var isInSequence = false
        var kept = ""
        for letter in self {
            if letter == "\u{1b}" { isInSequence = true }
            guard isInSequence || room > 0 else { continue }
            kept.append(letter)
            if !isInSequence { room -= 1 }
            if letter.unicodeScalars.first == "m" { isInSequence = false }
        }
        return kept
    }

    /// At most so many Unicode scalars, as a letter may have any number of them, the last a "…" where something is left out.
    func cut(to limit: Int) -> String {
        let scalars = unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: limit, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return self }
        return String(scalars[..<end].dropLast()) + "…"
    }
}
