/// One check, to be run once. All references are resolved.
package struct ProbeRequest {
    package enum Check {
        case http(HTTP)
        case tcp(host: String, port: UInt16)
        case unix(path: String)
        /// Older than the start of the incarnation is absent.
        case file(path: String, startedAt: WallTime, maxAge: Duration?)
        /// Starts the program. It calls `finished` once, nil for success, else with what went wrong; what it answers is
        /// called when its time is over or the probe is cancelled, to end it.
        case exec(start: (_ finished: @escaping (String?) -> Void) -> () -> Void)
    }

    package struct HTTP {
        package var host: String
        package var port: UInt16
        package var request: HTTPRequest
        package var status: ClosedRange<Int>
        /// The body must contain a match.
        package var body: RegularExpression?

        package init(
            host: String, port: UInt16, request: HTTPRequest, status: ClosedRange<Int> = 200...399,
            body: RegularExpression? = nil
        ) {
            self.host = host
            self.port = port
            self.request = request
            self.status = status
            self.body = body
        }
    }

    package var check: Check
    package var timeout: Duration
    /// Whose the socket must be. Nil: anyone's.
    package var owner: SocketOwnership.Subject?

    package init(_ check: Check, timeout: Duration, owner: SocketOwnership.Subject? = nil) {
        self.check = check
        self.timeout = timeout
        self.owner = owner
    }
}
