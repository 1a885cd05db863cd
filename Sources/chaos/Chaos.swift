import ChaosKit
import Glibc

/// Counts what `kill -9` and its kin do to projects run by the `orchestrate` beside this program.
@main
enum Chaos {
    static func main() {
        let arguments: ChaosArguments
        do throws(ChaosArguments.Wrong) {
            arguments = try ChaosArguments(CommandLine.arguments.dropFirst())
        } catch {
            say("\(error.message)\n\(ChaosArguments.usage)")
            exit(64)
        }
        var table = CountTable()
        var isFaultless = true
        let campaign = Campaign { say($0) }
        for scenario in arguments.scenarios {
            if let obstacle = scenario.obstacle {
                table.skip(scenario, obstacle)
            } else {
                let rounds = arguments.rounds ?? scenario.fullCount
                let tally = campaign.run(scenario, rounds: rounds, seed: arguments.seed)
                table.add(scenario, tally, seed: arguments.seed)
                isFaultless = isFaultless && tally.isFaultless
            }
            // Whoever ends a long count early has what was counted until then.
            say(table.text)
        }
        exit(isFaultless ? 0 : 1)
    }

    /// At once, whoever reads it: `print` would keep it back for a file.
    private static func say(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { write(1, $0.baseAddress?.advanced(by: done), bytes.count - done) }
            guard count > 0 else { return }
            done += count
        }
    }
}
