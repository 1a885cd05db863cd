import ArgumentParser
import ControlAPI
import ControlClient
import Glibc
import StateStore

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Print what happened, a JSON object per line.",
        discussion: """
            Without -f: the state changes in the journal. With -f: everything from now on, until the project is down;
            its first line has the kind "following", and no state change after it is missed, whatever becomes of the
            supervisor.

            Examples:
              orchestrate events -n 20
              orchestrate events -f | jq -c 'select(.to == "failed")'
            """)

    @OptionGroup var project: FollowingProjectOptions

    @Flag(name: .shortAndLong, help: "Follow.")
    var follow = false

    @Option(name: [.customShort("n"), .long], help: "Only the last so many of the journal.")
    var lines: Int?

    /// The first line of `-f`: from here on nothing is missed.
    private struct Following: Encodable {
        var kind = "following"
        var at: Timestamp
        var sequence: UInt64
    }

    func run() throws {
        let context = try ProjectContext(project.projectOptions)
        guard follow else { return try printJournal(context, limit: lines ?? .max) }
        var seen: UInt64?
        var isOver = false
        try context.stay(with: try context.connect()) { client in
            // Subscribed first: what comes in between is printed after the journal, not lost.
            let now = try client.call(Subscribe.self, .init()).sequence
            if let seen {
                try printJournal(context, limit: .max, after: seen, upTo: now)
            } else {
                if let lines { try printJournal(context, limit: lines, upTo: now) }
                Console.print(WireFormat.json(Following(at: .now, sequence: now)))
            }
            seen = now
            while true {
                if !client.hasArrived { _ = Poll.waitForNews(on: [client.descriptor]) }
                for case .event(let message) in try client.receive() {
                    Console.print(WireFormat.json(message))
                    switch message.event {
                    case .finished:
                        isOver = true
                        return
                    case .missed:
                        try printJournal(context, limit: .max, after: seen ?? now, upTo: message.sequence)
                    case .transition, .warning, .applied, .portChanged, .leaseTaken, .leaseEnded: break
                    }
                    seen = message.sequence
                }
            }
        }
        // Whoever took it down has nobody left to tell of it.
        if !isOver, let seen { try printJournal(context, limit: .max, after: seen) }
    }

    private func printJournal(
        _ context: ProjectContext, limit: Int, after first: UInt64 = 0, upTo last: UInt64 = .max
    ) throws {
        let rows: [TransitionRow]
        var replicated: Set<String>
        do throws(StoreError) {
            let store = try context.journal()
            rows = try store.transitions(after: Int64(clamping: first), limit: limit)
            replicated = Set(try store.instances(withEnded: true).filter { $0.replica > 0 }.map(\.sidecar))
        } catch .absent {
            try context.refuseReadingElsewhere()
            throw CommandFailure(.noSupervisor, "\(context.name) has not been up: nothing has happened")
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
        // Those that are gone are only here.
        replicated.formUnion(rows.filter { $0.replica > 0 }.map(\.sidecar))
        var text = ""
        for row in rows where UInt64(row.id) <= last {
            let event = TransitionEvent(
                instance: replicated.contains(row.sidecar) ? "\(row.sidecar)/\(row.replica)" : row.sidecar,
                incarnation: row.incarnation, from: row.from, to: row.to, initiator: row.initiator, cause: row.cause,
                causedBy: row.causedBy)
            let message = EventMessage(
                sequence: UInt64(row.id), at: Timestamp(microseconds: row.atWall), event: .transition(event))
            text += WireFormat.json(message) + "\n"
        }
        Console.write(text)
    }
}
