/// What a document may hold. Beyond these it is refused with the place where the limit was crossed.
package enum YAMLLimits {
    /// Bytes of the file: 16 MiB.
    package static let bytes = 16 << 20
    /// Mappings and sequences inside each other.
    package static let depth = 100
    /// Scalars, sequences and mappings as written.
    package static let nodes = 1_000_000
    /// Nodes that aliases stand for, all together: a few lines of aliases to aliases can mean billions.
    package static let aliasedNodes = 100_000
}
