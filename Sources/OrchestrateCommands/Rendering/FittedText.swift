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
}
