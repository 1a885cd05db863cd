import ControlAPI
import Supervision

/// HOME, USER, LOGNAME and SHELL of a sidecar that runs as another user: looked up here, as in the supervisor only the
/// start itself may wait for the answer.
enum AccountVariables {
    static func add(to answer: inout Environment.Answer) {
        guard let identity = answer.identity, let user = identity.user,
            let account = (try? Account.find(user)) ?? nil
        else { return }
        for name in identity.accountVariables {
            guard let variable = ProcessIdentity.AccountVariable(rawValue: name) else { continue }
            answer.variables.append(.init(name: name, value: variable.value(of: account)))
        }
    }
}
