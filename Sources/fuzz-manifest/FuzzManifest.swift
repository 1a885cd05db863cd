import DiagnosticRendering
import ManifestLoading
import SidecarModel

/// libFuzzer's entry: whatever the bytes are, loading them ends, and errors leave no plan. Built by `Scripts/fuzz` alone.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzManifest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let loaded = loadManifest(
        text: bytes, file: "f", directory: "/app", environment: ["HOME": "/root"],
        options: LoadOptions(checksHost: false), files: HostFiles())
    precondition((loaded.plan == nil) == loaded.hasErrors)
    precondition(loaded.diagnostics.allSatisfy { ($0.location?.offset ?? 0) <= bytes.count })
    precondition(loaded.diagnostics.allSatisfy { RuleID(rawValue: $0.rule) != nil })
    _ = diagnosticText(loaded.diagnostics)
    _ = diagnosticJSON(loaded.diagnostics)
    if let plan = loaded.plan { _ = planText(plan) + planJSON(plan) + planDOT(plan) + planMermaid(plan) }
    return 0
}
