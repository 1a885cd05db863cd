extension Unicode.Scalar {
    /// Control characters but the tab, those that end a line, and those that reorder one.
    package var steersTerminal: Bool {
        switch value {
        case 0x09: false
        case 0x00...0x1f, 0x7f...0x9f: true
        case 0x061c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
