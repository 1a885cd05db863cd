/// What there is to count, in the order of the closing table.
package enum Scenarios {
    /// - Parameter earlier: where programs are whose journal has an earlier form.
    package static func all(earlier: String?) -> [any Scenario] {
        [
            SupervisorLoss(), SupervisionLoss(.stop), SupervisionLoss(.keep), SupervisionLoss(.all),
            TreeStops(.a), TreeStops(.b), TreeStops(.c), Upgrades(),
        ] + (earlier.map { [FormatChanges(from: $0)] } ?? []) + [
            Moments(of: .client), Moments(of: .sidecar), Moments(of: .supervisor), SlowDiskKills(), ClockJumps(),
            Storm(.alone), Storm(.withClients),
        ]
    }
}
