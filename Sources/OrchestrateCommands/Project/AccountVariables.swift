import ControlAPI
import SidecarModel
import Supervision

/// HOME, USER, LOGNAME and SHELL of a sidecar that runs as another user: looked up here, as in the supervisor only the
/// start itself may wait for the answer.
enum AccountVariables {
    /// None where its start would fail for want of the account.
    static func add(to answer: inout Environment.Answer) {
        guard let taken = try? answer.identity?.ofProcess.taken() else { return }
        answer.variables += taken.variables.map { .init(name: $0.name, value: $0.value) }
    }
}

extension Environment.Identity {
    /// The same for whoever looks it up.
    var ofProcess: ProcessIdentity {
        var privileges = PrivilegeSpec()
        privileges.user = user
        privileges.group = group
        return ProcessIdentity(
            privileges, accountVariables: accountVariables.compactMap(ProcessIdentity.AccountVariable.init))
    }
}
