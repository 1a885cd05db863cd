import ArgumentParser
import ControlAPI
import ControlClient

struct PortCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "port",
        abstract: "Print the ports a sidecar was given.",
        discussion: """
            One port prints as a bare number, for scripts. Several print a line each. Of a sidecar with
            'stdio: per_client' it is the path of the socket for its clients.

            Examples:
              curl http://127.0.0.1:$(orchestrate port api)/health
              orchestrate port mcp/1 http --address
              nc -U "$(orchestrate port tools)"
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "A sidecar, or an instance such as mcp/0. Default: all.")
    var name: String?

    @Argument(help: "The port's name in the manifest.")
    var port: String?

    @Flag(help: "Print host:port.")
    var address = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let context = try ProjectContext(project)
        let all = try context.ask(Ports.self, .init(names: name.map { [$0] } ?? [])).ports
        let ports = all.filter { port == nil || $0.name == port }
        if json { return Console.print(WireFormat.json(ports, pretty: true)) }
        if ports.isEmpty, port == nil, let name,
            let socket = try context.ask(Status.self, .init(names: [name])).sidecars.first?.socket
        {
            return Console.print(socket)
        }
        guard !ports.isEmpty else {
            let what = port.map { "port '\($0)'" } ?? "port"
            throw CommandFailure(.failed, "\(name.map { "'\($0)'" } ?? "the project") has no \(what)")
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
}
