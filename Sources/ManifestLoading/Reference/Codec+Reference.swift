import SidecarModel

extension Codec {
    /// What may be written, in words.
    var takes: String {
        switch self {
        case .flag: "true or false"
        case .integer(let range, _), .optionalInteger(let range, _): "\(range.lowerBound) to \(range.upperBound)"
        case .number(let range, _), .optionalNumber(let range, _):
            "number, \(range.lowerBound.plain) to \(range.upperBound.plain)"
        case .duration, .optionalDuration: "duration"
        case .size, .optionalSize: "size"
        case .optionalText, .optionalTemplate: "text"
        case .signal: "signal"
        case .exitCodes: "exit code, or a list"
        case .choice(let choices, _, _): choices.map { "`\($0)`" }.joined(separator: ", ")
        case .group(_, nil): "mapping"
        case .group(_, let short?): "\(short.takes), or a mapping"
        case .form(let form): form.takes
        }
    }

    /// The model's own default, in Markdown.
    func defaultText(in owner: Owner) -> String? {
        switch self {
        case .flag(let field): "`\(owner[keyPath: field])`"
        case .integer(_, let field): "`\(owner[keyPath: field])`"
        case .optionalInteger(_, let field): owner[keyPath: field].map { "`\($0)`" }
        case .number(_, let field): "`\(owner[keyPath: field].plain)`"
        case .duration(_, let field): "`\(owner[keyPath: field].spelling)`"
        case .optionalDuration(_, let field): owner[keyPath: field].map { "`\($0.spelling)`" }
        case .size(let field): "`\(owner[keyPath: field].spelling)`"
        case .optionalNumber(_, let field): owner[keyPath: field].map { "`\($0.plain)`" }
        case .optionalSize(let field): owner[keyPath: field].map { "`\($0.spelling)`" }
        case .optionalText(let field): owner[keyPath: field].map { "`\($0)`" }
        case .optionalTemplate: nil
        case .signal(let field): "`\(owner[keyPath: field])`"
        case .exitCodes: nil
        case .choice(_, _, let get): get(owner).map { "`\($0)`" }
        case .group, .form: nil
        }
    }
}

extension Double {
    fileprivate var plain: String { self == rounded() ? String(Int(self)) : String(self) }
}

extension Form {
    var takes: String {
        switch self {
        case .version: "1"
        case .projectName, .projectID: "text"
        case .defaults: "sidecar keys"
        case .secretSources: "mapping of names to sources"
        case .sidecars: "mapping of names to sidecars"
        case .command, .exec: "list, or one text"
        case .script: "text"
        case .directory, .logDirectory, .path, .unix: "text"
        case .environment: "mapping of names to text or null"
        case .environmentFiles: "path, or a list of paths and mappings"
        case .ports: "mapping of names to ports"
        case .dependencies: "list, or a mapping of names to conditions"
        case .health: "probe, or probes by role"
        case .restartPolicy: RestartSpec.Policy.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
        case .hooks: "mapping of moments to actions"
        case .secretUses: "mapping of variables to secrets"
        case .umask: "octal digits in quotes"
        case .limits: "mapping of limits"
        case .softLimit, .hardLimit: "number, size, or `unlimited`"
        case .executable: "absolute path"
        case .steps: "list of `{ signal, wait }`"
        case .portRange: "number, range, or `auto`"
        case .bindAddress: "numeric address"
        case .condition: DependencySpec.Condition.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
        case .http: "path, or a mapping"
        case .tcp: "port, or a mapping"
        case .file: "path, or a mapping"
        case .log: "pattern, or a mapping"
        case .notify: "`true`"
        case .portChoice: "name or number of a port"
        case .host, .method: "text"
        case .headers: "mapping of names to text"
        case .statusRange: "number or range"
        case .pattern: "regular expression"
        case .scheme: "`http`"
        }
    }
}
