import ManifestLoading
import Planning
import SidecarModel

/// libFuzzer's entry: a command of any text is split and its variables are replaced, and what a variable holds never
/// changes how many words there are. Built by `Scripts/fuzz` alone.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzWords(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let tame = load(bytes, variable: "x")
    let wild = load(bytes, variable: "a b 'c\" \\ $$ ${A} ${sidecar.name} }\n*")
    precondition(words(of: tame) == words(of: wild))
    return 0
}

/// As a double-quoted scalar, so that YAML takes whatever it is.
private func load(_ bytes: [UInt8], variable: String) -> LoadedManifest {
    let digits = Array("0123456789abcdef")
    let escaped = bytes.map { "\\x\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
    let text = """
        version: 1
        sidecars:
          a: { command: "p \(escaped)", env: { E: "\(escaped)" }, ports: { http: 8080 } }
          b: { shell: "\(escaped)" }

        """
    return loadManifest(
        text: Array(text.utf8), file: "f", directory: "/app", environment: ["A": variable, "VAR": variable],
        options: LoadOptions(checksHost: false), files: HostFiles())
}

private func words(of loaded: LoadedManifest) -> Int? {
    guard case .command(let words) = loaded.plan?.sidecars.first?.program else { return nil }
    return words.count
}
