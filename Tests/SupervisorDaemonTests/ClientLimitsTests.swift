import SidecarModel
import Testing

@testable import SupervisorDaemon

struct ClientLimitsTests {
    private let own = [
        LimitSpec(.openFiles, soft: 1024, hard: 4096), LimitSpec(.core, soft: 0, hard: LimitSpec.unlimited),
    ]

    @Test func `nothing is set that a process gets by itself`() {
        let limits = ClientLimits(own, own: own, mayRaise: false)
        #expect(limits.all == own)
        #expect(limits.differing.isEmpty)
        #expect(limits.lowered.isEmpty)
    }

    @Test func `what is lower, or may be raised, is given as it was said`() {
        let lower = [LimitSpec(.openFiles, soft: 4096, hard: 4096), LimitSpec(.core, soft: 5, hard: 5)]
        #expect(ClientLimits(lower, own: own, mayRaise: false).differing == lower)
        let higher = [LimitSpec(.openFiles, soft: 5000, hard: LimitSpec.unlimited)]
        let raised = ClientLimits(higher, own: own, mayRaise: true)
        #expect(raised.differing == higher)
        #expect(raised.lowered.isEmpty)
    }

    @Test func `what may not be raised is given as far as it goes, and named`() {
        let higher = [LimitSpec(.openFiles, soft: 5000, hard: 8192)]
        let limits = ClientLimits(higher, own: own, mayRaise: false)
        #expect(limits.all == higher)
        #expect(limits.differing == [LimitSpec(.openFiles, soft: 4096, hard: 4096)])
        #expect(limits.lowered == limits.differing)
        let hardOnly = ClientLimits([LimitSpec(.openFiles, soft: 1024, hard: 8192)], own: own, mayRaise: false)
        #expect(hardOnly.differing.isEmpty)
        #expect(hardOnly.lowered == [LimitSpec(.openFiles, soft: 1024, hard: 4096)])
    }
}
