import Planning
import SidecarModel
import YAMLReading

extension ManifestDecoder {
    func decodeProject(_ root: NodeID) {
        var files: NodeID?
        var own: [EnvironmentEntry] = []
        // Before anything is interpolated, wherever they stand.
        if let secrets = document.value(of: "secrets", in: root) { noteSecretVariables(in: secrets) }
        decode(root, by: projectKeys, named: "the manifest", into: &project) { form, node, project in
            switch form {
            case .version: checkVersion(node)
            case .projectName:
                if let name = text(node, named: "name") {
                    if isProjectName(name) {
                        project.name = name
                    } else {
                        report(
                            .invalidProjectName, at: node, "'\(name)' can't be a project's name",
                            help: "lower-case letters, digits and hyphens, at most 63: '\(normalisedName(name))'")
                    }
                }
            case .projectID:
                if let id = text(node, named: "id") {
                    if isProjectID(id) {
                        project.id = id
                    } else {
                        report(
                            .invalidProjectID, at: node, "'\(id)' can't be a project's id",
                            help: "letters, digits, '.', '-' and '_', at most 255, such as com.example.app")
                    }
                }
            case .environment: own = environment(node)
            case .environmentFiles: files = node
            case .secretSources: decodeSecretSources(node, into: &project.secrets)
            case .defaults: defaultsNode = node
            case .sidecars: sidecarsNode = node
            default: break
            }
        }
        // After the secrets, wherever those stand: what they come from is left out of the files.
        topEnvironment = merged(files.map { environmentFiles($0) } ?? [], own)
        guard let node = sidecarsNode else {
            if lacks(["sidecars"], of: projectKeys, in: root, orAnything: false) {
                report(
                    .noSidecars, at: root, "there is no 'sidecars:'",
                    help: "list them by name: sidecars: { web: { command: [./server] } }")
            }
            return
        }
        decodeSidecars(node)
    }

    private func checkVersion(_ node: NodeID) {
        guard let version = integer(node, in: Int.min...Int.max, named: "version"), version != 1 else { return }
        report(.unsupportedVersion, at: node, "version \(version) isn't known", help: "write version: 1")
    }

    private func decodeSidecars(_ node: NodeID) {
        guard expect(.mapping, node, named: "sidecars") else { return }
        let count = document.count(node)
        guard count > 0 else {
            report(.noSidecars, at: node, "'sidecars' is empty", help: "list at least one")
            return
        }
        let defaults = defaultsNode.flatMap { decodeDefaults($0) }
        sidecars.reserveCapacity(count)
        places.reserveCapacity(count)
        indexByName.reserveCapacity(count)
        for position in 0..<count {
            let (key, value) = document.pair(node, at: position)
            guard document.kind(key) == .scalar else { continue }
            let name = document.string(key)
            guard isSidecarName(name) else {
                report(
                    .invalidSidecarName, at: key, "'\(name)' can't be a sidecar's name",
                    help: "lower-case letters, digits, '-' and '_', beginning with a letter or digit, at most 63")
                continue
            }
            // A name given twice was reported by the reader; the first stands.
            guard indexByName[name] == nil else { continue }
            indexByName[name] = sidecars.count
            current = sidecars.count
            places.append((key, value))
            sidecars.append(decodeSidecar(named: name, value, key: key, defaults: defaults))
        }
        current = nil
    }

    private func isProjectID(_ id: String) -> Bool {
        let bytes = id.utf8
        return !bytes.isEmpty && bytes.count <= 255
            && bytes.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }
}

func isProjectName(_ name: String) -> Bool {
    let bytes = name.utf8
    return (1...63).contains(bytes.count) && bytes.allSatisfy { isLowerOrDigit($0) || $0 == UInt8(ascii: "-") }
}

func isSidecarName(_ name: String) -> Bool {
    let bytes = name.utf8
    guard (1...63).contains(bytes.count), let first = bytes.first, isLowerOrDigit(first) else { return false }
    return bytes.allSatisfy { isLowerOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
}

private func isLowerOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

/// The nearest allowed name: lower case, whatever else is there becomes one hyphen.
func normalisedName(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.lowercased().utf8 {
        if isLowerOrDigit(byte) {
            bytes.append(byte)
        } else if let last = bytes.last, last != UInt8(ascii: "-") {
            bytes.append(UInt8(ascii: "-"))
        }
    }
    bytes = Array(bytes.prefix(63))
    while bytes.last == UInt8(ascii: "-") { bytes.removeLast() }
    return bytes.isEmpty ? "project" : String(decoding: bytes, as: UTF8.self)
}

/// The default name of a project.
func projectName(fromDirectory directory: String) -> String { normalisedName(lastComponent(of: directory)) }
