import Glibc

/// Keys and values in a file, asked one line at a time: `GET key`, `SET key value`, `ADD key` (one more, and how many).
final class Store {
    private let file: String
    private var values: [String: String] = [:]

    init(file: String) {
        self.file = file
        load()
    }

    func serve(port: String) throws(Failure) -> Never {
        try quickstart_sidecar.serve(port: port) { connection in
            while let line = connection.readLine() {
                // The asker may be gone; what it asked for has been done.
                do { try connection.write(answer(line) + "\n") } catch { return }
            }
        }
    }

    private func answer(_ line: String) -> String {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        switch (words.first, words.count) {
        case ("PING", 1): return "PONG"
        case ("GET", 2): return values[words[1]] ?? "0"
        case ("SET", 3): return set(words[1], words[2])
        case ("ADD", 2): return set(words[1], String((Int(values[words[1]] ?? "0") ?? 0) + 1))
        default: return "what?"
        }
    }

    private func set(_ key: String, _ value: String) -> String {
        values[key] = value
        save()
        return value
    }

    private func load() {
        guard let stream = fopen(file, "r") else { return }
        defer { fclose(stream) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, stream) > 0, let line {
            let words = String(cString: line).split(separator: " ", maxSplits: 1)
            if words.count == 2 { values[String(words[0])] = String(words[1].dropLast()) }
        }
        say("\(values.count) keys in \(file)")
    }

    /// Through a second file, so that a crash leaves the old or the new one.
    private func save() {
        guard let stream = fopen(file + ".new", "w") else { return say("cannot write \(file).new") }
        for (key, value) in values { fputs("\(key) \(value)\n", stream) }
        fclose(stream)
        rename(file + ".new", file)
    }
}

/// One question, one connection.
struct StoreClient {
    let address: String

    func ask(_ question: String) throws(Failure) -> String {
        let connection = try Connection(to: address)
        try connection.write(question + "\n")
        guard let answer = connection.readLine() else { throw Failure("the store at \(address) does not answer") }
        return answer
    }
}
