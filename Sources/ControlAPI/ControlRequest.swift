/// A request as the supervisor's handlers take it. One case per operation.
package enum ControlRequest: Sendable {
    case hello(Hello.Parameters)
    case apply(Apply.Parameters)
    case down(Down.Parameters)
    case hurry(HurryUp.Parameters)
    case status(Status.Parameters)
    case start(Start.Parameters)
    case stop(Stop.Parameters)
    case restart(Restart.Parameters)
    case run(RunTask.Parameters)
    case environment(Environment.Parameters)
    case ports(Ports.Parameters)
    case subscribe(Subscribe.Parameters)
    case lease(Lease.Parameters)
    case generatedSecrets(GeneratedSecrets.Parameters)
    case upgrade(Upgrade.Parameters)

    init?(method: String, from container: KeyedDecodingContainer<RequestMessage.Key>) throws {
        func parameters<Operation: ControlOperation>(_: Operation.Type) throws -> Operation.Parameters {
            try container.decode(Operation.Parameters.self, forKey: .params)
        }
        switch method {
        case Hello.method: self = .hello(try parameters(Hello.self))
        case Apply.method: self = .apply(try parameters(Apply.self))
        case Down.method: self = .down(try parameters(Down.self))
        case HurryUp.method: self = .hurry(try parameters(HurryUp.self))
        case Status.method: self = .status(try parameters(Status.self))
        case Start.method: self = .start(try parameters(Start.self))
        case Stop.method: self = .stop(try parameters(Stop.self))
        case Restart.method: self = .restart(try parameters(Restart.self))
        case RunTask.method: self = .run(try parameters(RunTask.self))
        case Environment.method: self = .environment(try parameters(Environment.self))
        case Ports.method: self = .ports(try parameters(Ports.self))
        case Subscribe.method: self = .subscribe(try parameters(Subscribe.self))
        case GeneratedSecrets.method: self = .generatedSecrets(try parameters(GeneratedSecrets.self))
        case Lease.method: self = .lease(try parameters(Lease.self))
        case Upgrade.method: self = .upgrade(try parameters(Upgrade.self))
        default: return nil
        }
    }
}

/// What a handler answers. One case per operation.
package enum ControlResponse: Sendable {
    case hello(Hello.Answer)
    case apply(Apply.Answer)
    case down(Down.Answer)
    case hurry(HurryUp.Answer)
    case status(Status.Answer)
    case start(Start.Answer)
    case stop(Stop.Answer)
    case restart(Restart.Answer)
    case run(RunTask.Answer)
    case environment(Environment.Answer)
    case ports(Ports.Answer)
    case subscribe(Subscribe.Answer)
    case lease(Lease.Answer)
    case generatedSecrets(GeneratedSecrets.Answer)
    case upgrade(Upgrade.Answer)

    var body: any Encodable & Sendable {
        switch self {
        case .hello(let answer): answer
        case .apply(let answer): answer
        case .down(let answer): answer
        case .hurry(let answer): answer
        case .status(let answer): answer
        case .start(let answer): answer
        case .stop(let answer): answer
        case .restart(let answer): answer
        case .run(let answer): answer
        case .environment(let answer): answer
        case .ports(let answer): answer
        case .subscribe(let answer): answer
        case .lease(let answer): answer
        case .generatedSecrets(let answer): answer
        case .upgrade(let answer): answer
        }
    }
}
