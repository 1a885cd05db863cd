import Testing

/// The rules of the house that the compiler does not check.
struct ArchitectureTests {
    @Test func `the sources are found`() {
        #expect(SourceTree.sources.contains { $0.path == "Sources/Planning/Plan.swift" })
        #expect(SourceTree.sources.contains { $0.module == "orchestrate" })
        #expect(SourceTree.inC.contains { $0.path == "Sources/CProcess/include/loop.h" })
    }

    @Test func `a module imports only what lies beneath it`() {
        for file in SourceTree.sources {
            guard let allowed = Layers.allowed(for: file.module) else {
                Issue.record("\(file.path): the module '\(file.module)' has no place in Layers.swift")
                continue
            }
            for (number, module) in file.imports where !allowed.contains(module) {
                Issue.record("\(file.path):\(number): '\(file.module)' may not import '\(module)'")
            }
        }
    }

    @Test func `no import goes round in a circle`() {
        let modules = [Layers.core, Layers.edges, Layers.shell, Layers.simulation, Layers.programs]
            .reduce(into: [String: Set<String>]()) { $0.merge($1) { first, _ in first } }
        var settled: Set<String> = []
        var waiting = modules
        while case let ready = waiting.filter({ $0.value.intersection(modules.keys).isSubset(of: settled) }),
            !ready.isEmpty
        {
            settled.formUnion(ready.keys)
            waiting = waiting.filter { !settled.contains($0.key) }
        }
        #expect(waiting.isEmpty, "these import each other: \(waiting.keys.sorted())")
    }

    @Test func `the core knows neither clock nor chance nor tasks`() {
        let forbidden: Set<Substring> = [
            "Foundation", "FoundationEssentials", "Dispatch", "Glibc", "ContinuousClock", "SuspendingClock", "Date",
            "Task", "TaskGroup", "async", "await", "actor", "Thread", "SystemRandomNumberGenerator",
            "clock_gettime", "print", "readLine", "CommandLine",
        ]
        for file in SourceTree.sources where Layers.core[file.module] != nil {
            for (number, text) in file.code {
                for word in words(of: text).intersection(forbidden) {
                    Issue.record("\(file.path):\(number): '\(word)' has no place in the core")
                }
            }
        }
    }

    @Test func `chance comes from a generator that is handed in`() {
        let drawing: Set<Substring> = ["random", "shuffled", "shuffle", "randomElement"]
        for file in SourceTree.sources where Layers.core[file.module] != nil || file.module == "SimulationKit" {
            for (number, text) in file.code
            where !words(of: text).isDisjoint(with: drawing) && text.contains("(") && !text.contains("using") {
                // A declaration of our own with such a name draws from its own generator.
                if text.contains("func ") { continue }
                Issue.record("\(file.path):\(number): draws from the system's generator: \(text)")
            }
        }
    }

    @Test func `nothing pulls in Foundation, Dispatch or a sleeping task`() {
        for file in SourceTree.sources {
            for (number, module) in file.imports where module == "Foundation" || module == "Dispatch" {
                Issue.record("\(file.path):\(number): imports \(module)")
            }
            for (number, text) in file.code where text.contains("Task.sleep") || text.contains("String(format:") {
                Issue.record("\(file.path):\(number): \(text)")
            }
        }
    }

    @Test func `nothing is decided by the wall clock, which anybody may set`() {
        let allowed: Set<String> = [
            // What people read.
            "Sources/SupervisorDaemon/WallClock.swift", "Sources/OrchestrateCommands/Commands/StatusCommand.swift",
            "Sources/Supervision/Logs/WallTime.swift",
            // Leaves a directory alone that was made within the minute; one that is wrongly old has nobody in it.
            "Sources/Supervision/Logs/FifoLeftovers.swift",
            // The clock that the chaos tests set.
            "Sources/ChaosKit/Harness/ShiftedClock.swift", "Sources/ChaosClock/clock.c",
        ]
        let readings = ["CLOCK_REALTIME", "gettimeofday", "time(nil)", "time(NULL)", "time(0)"]
        for file in SourceTree.sources + SourceTree.inC where !allowed.contains(file.path) {
            for (number, text) in file.code where readings.contains(where: text.contains) {
                Issue.record("\(file.path):\(number): reads the wall clock: \(text)")
            }
        }
    }

    @Test func `operating system calls of one platform live in files of their own`() {
        for file in SourceTree.sources {
            for (number, text) in file.code where text.contains("#if os(") {
                Issue.record("\(file.path):\(number): put it into a file Platform/X+Linux.swift")
            }
        }
    }

    @Test func `a file is at most 400 lines`() {
        for file in SourceTree.sources + SourceTree.tests + SourceTree.inC where file.lines.count > 400 {
            Issue.record("\(file.path) has \(file.lines.count) lines")
        }
    }

    @Test func `nothing is left for later`() {
        let marks = ["TO" + "DO", "FIX" + "ME"]
        for file in SourceTree.sources + SourceTree.tests + SourceTree.inC {
            for (number, line) in file.lines.enumerated() where marks.contains(where: line.contains) {
                Issue.record("\(file.path):\(number + 1): \(line)")
            }
        }
    }
}
