import CProcess
import ControlAPI
import Glibc

/// The client's end of the control socket.
enum ClientSocket {
    /// Nil when nobody listens there.
    static func connect(path: String, _ patience: Patience) throws(ControlError) -> Int32? {
        var result = orch_unix_connect(path)
        let wait = patience.begin()
        // The backlog is full: the supervisor lives, and takes it up in a moment.
        while result == -EAGAIN || result == -EINTR {
            _ = try patience.rest(of: wait, Silence(of: nil, "taken up a connection to \(path)"))
            poll(nil, 0, 1)
            result = orch_unix_connect(path)
        }
        switch -result {
        case ...0: return result
        case ENOENT, ECONNREFUSED, ENOTDIR: return nil
        case let number:
            let remedy = number == EACCES ? "; keep state in a place of your own by ORCHESTRATE_STATE_DIR" : ""
            throw ControlError(
                .failed, "cannot connect to \(path): \(String(cString: strerror(number)).lowercased())\(remedy)")
        }
    }
}
