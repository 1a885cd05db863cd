/// How it is known which processes belong to a sidecar, and that none is left.
package struct Containment: Sendable {
    package enum Level: String, Sendable {
        /// A cgroup each: proof, by the kernel.
        case cgroup
        /// The keeper is the parent of all that is left behind: proof, while it lives.
        case keeper
        /// Session, and a mark that descendants inherit: best effort.
        case session
    }

    package var level: Level
    /// For people: what is used, or why nothing better.
    package var description: String
}
