import ArgumentParser
import ControlAPI
import ControlClient
import SidecarModel

struct PortCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "port",
        abstract: "Print the ports a sidecar was given.",
        discussion: """
            One port prints as a bare number, for scripts. Several print a line each. Of a sidecar with
            'stdio: per_client' it is the path of the socket for its clients; with --json an array of one
            object with 'instance' and 'socket'.

            Examples:
              curl http://127.0.0.1:$(orchestrate port api)/health
              orchestrate port mcp/1 http --address
              nc -U "$(orchestrate port tools)"
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "A sidecar, or an instance such as mcp/0. Default: all.", completion: .sidecars)
    var name: String?

    @Argument(help: "The port's name in the manifest.")
    var port: String?

    @Flag(help: "Print host:port.")
    var address = false

    @Flag(help: "Print JSON.")
    var json = false

    /// As JSON in place of ports.
    private struct Socket: Encodable {
        var instance: String
        var socket: String
    }

    func run() throws {
        let context = try ProjectContext(project)
        let names = name.map { [$0] } ?? []
        let (all, socket) = try context.ask { client in
            let ports = try client.call(Ports.self, .init(names: names)).ports
            guard ports.isEmpty, port == nil, name != nil else { return (ports, Socket?.none) }
            let instance = try client.call(Status.self, .init(names: names)).sidecars.first
            return (ports, instance.flatMap { found in found.socket.map { .init(instance: found.name, socket: $0) } })
        }
        let ports = all.filter { port == nil || $0.name == port }
        if let socket { return Console.print(json ? WireFormat.json([socket], pretty: true) : socket.socket) }
        if json { return Console.print(WireFormat.json(ports, pretty: true)) }
        guard !ports.isEmpty else {
            let what = port.map { "port '\($0)'" } ?? "port"
            var there: [String] = []
            for port in all where !there.contains(port.name) { there.append(port.name) }
            let list = there.isEmpty ? withoutAny(context) : "; it has \(there.joined(separator: ", "))"
            throw CommandFailure(.failed, "\(name.map { "'\($0)'" } ?? "the project") has no \(what)\(list)")
        }
        if ports.count == 1, name != nil {
            return Console.print(address ? ports[0].address : String(ports[0].number))
        }
        var table = Table("NAME", "PORT", "ADDRESS")
        for port in ports {
            table.rows.append([.init(port.instance), .init(port.name), .init(port.url ?? port.address)])
        }
        Console.print(table.lines(Terminal(environment: context.environment).palette).joined(separator: "\n"))
    }

    /// It may have none as it could not have it, and why says more than that it has none.
    private func withoutAny(_ context: ProjectContext) -> String {
        guard let name, let project = try? context.ask({ try $0.call(Status.self, .init(names: [name])) }),
            let instance = project.sidecars.first(where: { $0.state == .backoff || $0.state == .failed }),
            instance.reason.hasPrefix("port '")
        else { return "" }
        return " now: it is \(instance.state.rawValue), \(instance.reason)"
    }
}
