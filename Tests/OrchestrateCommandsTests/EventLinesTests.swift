import ControlAPI
import SidecarModel
import Testing

@testable import OrchestrateCommands

struct EventLinesTests {
    private func lines(_ changes: [(name: String, to: StateName, cause: String)]) -> [String] {
        var lines = EventLines()
        for change in changes {
            lines.add(
                TransitionEvent(
                    instance: change.name, incarnation: 1, from: .waiting, to: change.to, initiator: .dependency,
                    cause: change.cause))
        }
        let text = lines.take(Palette(isOn: false))
        #expect(lines.take(Palette(isOn: false)).isEmpty)
        return text.split(separator: "\n").map(String.init)
    }

    private func blocked(_ count: Int, by cause: String) -> [(name: String, to: StateName, cause: String)] {
        (1...count).map { ("s\($0)", .blocked, cause) }
    }

    @Test func `many that are held back by the same are told of in one line`() {
        let root = [("root", StateName.failed, "exit 9")]
        #expect(
            lines(root + blocked(1000, by: "root is failed: exit 9") + [("web", .healthy, "")]) == [
                "root failed: exit 9", "s1, s2, s3, s4, s5 and 995 more are blocked: root is failed: exit 9",
                "web healthy",
            ])
    }

    @Test func `few have a line each, as have those that are held back by something else or do better`() {
        let few = blocked(10, by: "root is failed: exit 9")
        #expect(lines(few) == few.map { "\($0.name) blocked: root is failed: exit 9" })
        let other = ("t", StateName.blocked, "db is failed")
        let mixed = lines(blocked(11, by: "root is failed: exit 9") + [other])
        let many = "s1, s2, s3, s4, s5 and 6 more are blocked: root is failed: exit 9"
        #expect(mixed == [many, "t blocked: db is failed"])
        #expect(lines((1...30).map { ("s\($0)", .healthy, "") }).count == 30)
    }
}
