/// Which question a probe answers.
package enum ProbeRole: String, Hashable, Codable, Sendable, CaseIterable { case startup, readiness, liveness }

package struct HealthSpec: Hashable, Codable, Sendable {
    package var startup: Probe?
    package var readiness: Probe?
    package var liveness: Probe?

    package init(startup: Probe? = nil, readiness: Probe? = nil, liveness: Probe? = nil) {
        self.startup = startup
        self.readiness = readiness
        self.liveness = liveness
    }

    package subscript(role: ProbeRole) -> Probe? {
        switch role {
        case .startup: startup
        case .readiness: readiness
        case .liveness: liveness
        }
    }
}

/// One health check, with all it needs.
package struct Probe: Hashable, Codable, Sendable {
    package enum PortChoice: Hashable, Codable, Sendable {
        case number(UInt16)
        /// A port of this sidecar by name.
        case named(String)
    }

    package struct HTTP: Hashable, Codable, Sendable {
        package enum Scheme: String, Hashable, Codable, Sendable, CaseIterable { case http, https }

        package struct Header: Hashable, Codable, Sendable {
            package var name: String
            package var value: Template

            package init(name: String, value: Template) {
                self.name = name
                self.value = value
            }
        }

        package var path: Template
        package var port: PortChoice
        /// Nil: the bind address of the port.
        package var host: Template?
        package var scheme: Scheme
        package var method: String
        package var headers: [Header]
        /// Both ends included.
        package var status: ClosedRange<Int>
        /// An extended regular expression the body must contain a match of.
        package var body: String?

        package init(
            path: Template, port: PortChoice, host: Template? = nil, scheme: Scheme = .http, method: String = "GET",
            headers: [Header] = [], status: ClosedRange<Int> = 200...399, body: String? = nil
        ) {
            self.path = path
            self.port = port
            self.host = host
            self.scheme = scheme
            self.method = method
            self.headers = headers
            self.status = status
            self.body = body
        }
    }

    package enum LogStream: String, Hashable, Codable, Sendable, CaseIterable { case stdout, stderr, any }

    package enum Check: Hashable, Codable, Sendable {
        case http(HTTP)
        case tcp(port: PortChoice, host: Template?)
        case exec([Template])
        /// A connection to a Unix socket.
        case unix(path: Template)
        /// The file is there, newer than this incarnation, and changed within `maxAge` when given.
        case file(path: Template, maxAge: Duration?)
        /// An extended regular expression a line must contain a match of.
        case log(pattern: String, stream: LogStream)
        /// sd_notify READY=1
        case notify
    }

    /// `any` accepts an answer whoever owns the listening socket.
    package enum Owner: String, Hashable, Codable, Sendable, CaseIterable { case `self`, any }

    package var check: Check
    package var initialDelay: Duration = .zero
    package var period: Duration = .seconds(10)
    package var timeout: Duration = .seconds(3)
    package var failureThreshold: Int = 3
    package var successThreshold: Int = 1
    package var owner: Owner = .self

    package init(_ check: Check) { self.check = check }

    /// Pushed by the sidecar, so nothing polls it.
    package var isPushed: Bool {
        switch check {
        case .log, .notify: true
        case .http, .tcp, .exec, .unix, .file: false
        }
    }
}
