import SidecarModel
import StateStore
import Testing

@testable import OrchestrateCommands

/// What `why` leaves out it says.
@Suite struct WhyChainTests {
    private static func step(_ id: Int, _ sidecar: String, _ state: StateName, by other: String? = nil) -> TransitionRow
    {
        TransitionRow(
            id: Int64(id), atWall: Int64(id) * 1000, atBoot: Instant(nanoseconds: Int64(id)), sidecar: sidecar,
            replica: 0, incarnation: 1, from: .waiting, to: state, initiator: .dependency, cause: "c\(id)",
            causedBy: other)
    }

    /// `s0` failed, and each of the others is held back by the one before it.
    private static func chain(of count: Int) -> [TransitionRow] {
        (0..<count).map { step($0 + 1, "s\($0)", $0 == 0 ? .failed : .blocked, by: $0 == 0 ? nil : "s\($0 - 1)") }
    }

    private static func lines(for name: String, _ journal: [TransitionRow]) -> [String] {
        WhyChain.lines(for: name, replica: nil, journal: journal, palette: Palette(isOn: false))
    }

    @Test func `a chain of causes that is too long says with whom it goes on`() {
        let whole = Self.lines(for: "s8", Self.chain(of: 9))
        #expect(whole.last?.contains("s0 waiting → failed") == true)
        let cut = Self.lines(for: "s11", Self.chain(of: 12))
        #expect(cut.count == whole.count + 1)
        #expect(cut.last?.hasSuffix("  … it goes on: orchestrate why s2") == true, "\(cut)")
    }

    @Test func `steps that are left out are counted`() {
        let steps = (1...15).map { Self.step($0, "web", .backoff) }
        let lines = Self.lines(for: "web", steps)
        #expect(lines.contains("… 3 earlier steps are left out"))
        #expect(lines.last?.contains("c15") == true)
        #expect(!Self.lines(for: "web", Array(steps.suffix(12))).contains { $0.contains("left out") })
    }
}
