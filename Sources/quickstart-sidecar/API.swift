/// `GET /` counts visits in the store; `GET /health` says whether the store answers.
struct API {
    let name: String
    let store: StoreClient

    func serve(port: String) throws(Failure) -> Never {
        try quickstart_sidecar.serve(port: port) { connection in
            guard let request = connection.readLine() else { return }
            while let header = connection.readLine(), !header.isEmpty {}
            let path = request.split(separator: " ").dropFirst().first ?? "/"
            let (status, body) = answer(String(path))
            let head = "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
            // A visitor who did not wait for the answer is no concern of the next one.
            do { try connection.write(head + body) } catch { return }
        }
    }

    private func answer(_ path: String) -> (status: String, body: String) {
        do throws(Failure) {
            switch path {
            case "/health": return ("200 OK", "\(try store.ask("PING"))\n")
            case "/":
                let visit = try store.ask("ADD visits")
                say("visit \(visit)")
                return ("200 OK", "\(name): you are visitor \(visit)\n")
            default: return ("404 Not Found", "there is no \(path)\n")
            }
        } catch {
            say(error.sentence)
            return ("503 Service Unavailable", error.sentence + "\n")
        }
    }
}
