import SidecarModel
import Supervision
import Testing

@Suite struct ProcessIdentityTests {
    private func taken(user: String?, group: String?) throws(SpawnFailure) -> ProcessIdentity.Taken {
        var privileges = PrivilegeSpec()
        privileges.user = user
        privileges.group = group
        return try ProcessIdentity(privileges, accountVariables: [.home, .user]).taken()
    }

    @Test func `a number without an account and a group is nobody to become`() {
        #expect {
            try taken(user: "4123456", group: nil)
        } throws: { error in
            (error as? SpawnFailure)?.message == "cannot find the user '4123456': there is none on this machine"
        }
        #expect(throws: SpawnFailure.self) { try taken(user: nil, group: "no-such-group") }
    }

    @Test func `with a group, a number without an account has that group alone`() throws {
        let taken = try taken(user: "4123456", group: "4123457")
        #expect(taken.user == 4_123_456)
        #expect(taken.group == 4_123_457)
        #expect(taken.groups == [4_123_457])
        #expect(taken.variables.map { "\($0.name)=\($0.value)" } == ["HOME=/", "USER=4123456"])
    }
}
