/// Something that is done to projects again and again, and what is to hold after it.
package protocol Scenario {
    var name: String { get }
    /// What the times of its tally are those of.
    var timed: String { get }
    /// How many rounds make a full count.
    var fullCount: Int { get }
    /// `best` or `session`; nil: by chance.
    var containment: String? { get }
    /// Where the programs are that the sandbox starts with. Nil: the ones beside this program.
    var programs: String? { get }
    /// What this machine lacks for it. Nil: nothing.
    var obstacle: String? { get }

    /// One stage: as many rounds as it has, and at most `limit` of them where it can choose.
    func play(on stage: Stage, limit: Int) throws
}

extension Scenario {
    package var timed: String { "" }
    package var containment: String? { nil }
    package var programs: String? { nil }
    package var obstacle: String? { nil }
}
