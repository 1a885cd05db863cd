import Glibc

/// The programs of `examples/quickstart`, in one executable that needs nothing else: a store, a migration of it, an API
/// in front of it, and a worker that fails now and then. They are plain programs: none knows that it is supervised.
///
/// usage: quickstart-sidecar store PORT FILE
///        quickstart-sidecar migrate|worker STORE
///        quickstart-sidecar api PORT STORE NAME
///        quickstart-sidecar get ADDRESS PATH
@main
struct QuickstartSidecar {
    static func main() {
        // A client that goes away must not take a server with it.
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        do throws(Failure) {
            try run(arguments)
        } catch {
            say("error: \(error.sentence)")
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) throws(Failure) {
        switch (arguments.first, arguments.count) {
        case ("store", 3): try Store(file: arguments[2]).serve(port: arguments[1])
        case ("migrate", 2): try migrate(StoreClient(address: arguments[1]))
        case ("api", 4):
            try API(name: arguments[3], store: StoreClient(address: arguments[2])).serve(port: arguments[1])
        case ("worker", 2): try work(StoreClient(address: arguments[1]))
        case ("get", 3): try get(arguments[2], from: arguments[1])
        default:
            say("usage: quickstart-sidecar store PORT FILE | migrate STORE | api PORT STORE NAME | worker STORE")
            exit(64)
        }
    }

    private static func migrate(_ store: StoreClient) throws(Failure) {
        let before = try store.ask("GET schema")
        guard before != "2" else { return say("schema 2 is there already") }
        say("migrating the schema from \(before) to 2")
        _ = try store.ask("SET schema 2")
        say("done")
    }

    /// A job each half second; every seventh is one that this worker cannot do.
    private static func work(_ store: StoreClient) throws(Failure) {
        say("waiting for jobs")
        while true {
            usleep(500_000)
            let job = try store.ask("ADD jobs")
            if let number = Int(job), number.isMultiple(of: 7) {
                throw Failure("job \(job) makes no sense")
            }
            say("job \(job) done")
        }
    }

    private static func get(_ path: String, from address: String) throws(Failure) {
        let connection = try Connection(to: address)
        try connection.write("GET \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n")
        var inBody = false
        while let line = connection.readLine() {
            if inBody { say(line) }
            if line.isEmpty { inBody = true }
        }
    }
}

/// Why a program of the quickstart ends.
struct Failure: Error {
    let sentence: String

    init(_ sentence: String) { self.sentence = sentence }
}

/// A line on standard output, at once: nothing stays in a buffer when the program is killed.
func say(_ text: String) {
    let line = text + "\n"
    _ = write(STDOUT_FILENO, line, line.utf8.count)
}
