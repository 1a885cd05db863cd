import Planning
import SidecarModel
import YAMLReading

/// Turns the tree into specs by the key table, and collects whatever is wrong on the way.
///
/// A value that can't be read leaves the default in place, so that one mistake hides no other.
final class ManifestDecoder {
    /// A dependency as it was written, to be completed when all sidecars are known.
    struct WrittenDependency {
        var sidecar: Int
        var position: Int
        var node: NodeID
        var hasCondition: Bool
        /// In a list, which names it and says no more.
        var isListed: Bool
    }

    struct WrittenReference {
        var sidecar: Int?
        var reference: Reference
        var node: NodeID
    }

    let document: YAMLDocument
    let directory: String
    let options: LoadOptions
    let files: any FileReading
    let clientEnvironment: [String: String]
    var diagnostics: [Diagnostic] = []

    var project: ProjectSpec
    var sidecars: [SidecarSpec] = []
    /// By sidecar: its key and its value.
    var places: [(key: NodeID, value: NodeID)] = []
    var sidecarsNode: NodeID?
    var defaultsNode: NodeID?
    var secretsNode: NodeID?
    var topEnvironment: [EnvironmentEntry] = []
    var indexByName: [String: Int] = [:]
    var dependencies: [WrittenDependency] = []
    var references: [WrittenReference] = []
    /// By sidecar.
    var unreadPorts: [String: UnreadPorts] = [:]
    /// By name: where the secret is declared.
    var secretKeys: [String: NodeID] = [:]
    /// By variable of the client's environment: the secret it holds.
    var secretVariables: [String: String] = [:]
    var writtenSecretUses: [WrittenSecretUse] = []
    /// Which secret a use names could not be read: it may be any.
    var hasUnreadSecretUse = false
    /// Every variable that was replaced, and where.
    var interpolatedVariables: [(name: String, node: NodeID)] = []
    /// A variable was left as it stands: where it does, nobody knows what is meant.
    var leavesVariables = false
    /// The sidecar that is being decoded.
    var current: Int?
    /// Most sidecars run where the manifest is: looked up once.
    lazy var canonicalDirectory: String? = files.canonicalPath(directory)
    /// `.env` beside the manifest, read when the first variable is not in the client's environment.
    var dotEnvironment: DotEnvironment?
    var hasReportedDotEnvironment = false
    /// By sidecar: whom it depends on, for the check of references.
    lazy var targets: [[Int]] = sidecars.map { sidecar in sidecar.dependencies.compactMap { indexByName[$0.sidecar] } }
    lazy var dependenciesBySidecar = Dictionary(grouping: dependencies, by: \.sidecar)
    /// How many names may still be compared to find a suggestion.
    var suggestionBudget = 50_000
    /// By mapping and name: what an unknown key could have been.
    var keyHelp: [String: String] = [:]
    var reachable: (from: Int?, isReached: [Bool]) = (nil, [])
    var environmentFiles: [String: [EnvironmentEntry]] = [:]

    init(
        document: YAMLDocument, directory: String, environment: [String: String], options: LoadOptions,
        files: any FileReading
    ) {
        self.document = document
        self.directory = directory
        self.options = options
        self.files = files
        clientEnvironment = environment
        project = ProjectSpec(name: projectName(fromDirectory: directory), directory: directory)
    }

    func makePlan() -> Plan? {
        guard let root = document.root, !document.isNull(root) else {
            report(
                .emptyManifest, location: document.source.location(offset: 0), "the manifest is empty",
                help: "run `orchestrate init` for a start")
            return nil
        }
        decodeProject(root)
        completeDependencies()
        checkReferences()
        let plan = buildPlan()
        runRules()
        warnOfDotEnvironment()
        return plan
    }

    // MARK: Reporting

    func report(
        _ rule: RuleID, at node: NodeID, _ message: String, help: String? = nil, related: [Diagnostic.Related] = []
    ) {
        report(rule, location: document.location(of: node), message, help: help, related: related)
    }

    func report(
        _ rule: RuleID, location: SourceLocation, _ message: String, help: String? = nil,
        related: [Diagnostic.Related] = []
    ) {
        diagnostics.append(
            Diagnostic(
                rule: rule.rawValue, severity: rule.severity, message: message, location: location, related: related,
                help: help))
    }

    func related(_ message: String, _ node: NodeID) -> Diagnostic.Related {
        Diagnostic.Related(message: message, location: document.location(of: node))
    }

    // MARK: Mappings

    /// Decodes every key of a mapping by its row. `form` is called for those with rules of their own.
    func decode<Owner>(
        _ mapping: NodeID, by group: KeyGroup<Owner>, named name: String, into owner: inout Owner,
        form: (Form, NodeID, inout Owner) -> Void
    ) {
        guard expect(.mapping, mapping, named: name) else { return }
        for position in 0..<document.count(mapping) {
            let (key, value) = document.pair(mapping, at: position)
            guard let row = group.position(ofHash: document.keyHash(key)),
                document.text(of: key, equals: group.keys[row].name)
            else {
                reportUnknown(key, value, in: group, named: name)
                continue
            }
            guard !document.isNull(value) || group.keys[row].codec.allowsNull else {
                report(
                    .missingValue, at: key, "'\(group.keys[row].name)' has no value",
                    help: "give it one, or remove the key")
                continue
            }
            let reported = diagnostics.count
            decode(value, by: group.keys[row].codec, named: group.keys[row].name, into: &owner, form: form)
            if diagnostics.count > reported {
                showExample(of: group.keys[row].name, group.keys[row].example, at: value, since: reported)
            }
        }
    }

    /// To whoever wrote a value in another form than the key takes, and was told no way out.
    private func showExample(of name: String, _ example: String, at value: NodeID, since first: Int) {
        let location = document.location(of: value)
        for position in diagnostics.indices[first...]
        where diagnostics[position].rule == RuleID.wrongType.rawValue && diagnostics[position].help == nil
            && diagnostics[position].location == location
        {
            diagnostics[position].help = "for example \(name): \(example)"
        }
    }

    private func decode<Owner>(
        _ value: NodeID, by codec: Codec<Owner>, named name: String, into owner: inout Owner,
        form: (Form, NodeID, inout Owner) -> Void
    ) {
        switch codec {
        case .flag(let field):
            if let flag = flag(value, named: name) { owner[keyPath: field] = flag }
        case .integer(let range, let field):
            if let number = integer(value, in: range, named: name) { owner[keyPath: field] = number }
        case .optionalInteger(let range, let field):
            if let number = integer(value, in: range, named: name) { owner[keyPath: field] = number }
        case .number(let range, let field):
            if let number = number(value, in: range, named: name) { owner[keyPath: field] = number }
        case .duration(let bounds, let field):
            if let duration = duration(value, bounds, named: name) { owner[keyPath: field] = duration }
        case .optionalDuration(let bounds, let field):
            if let duration = duration(value, bounds, named: name) { owner[keyPath: field] = duration }
        case .optionalNumber(let range, let field):
            if let number = number(value, in: range, named: name) { owner[keyPath: field] = number }
        case .optionalSize(let field):
            if let size = size(value, named: name) { owner[keyPath: field] = size }
        case .size(let field):
            if let size = size(value, named: name) { owner[keyPath: field] = size }
        case .optionalText(let field):
            if let text = text(value, named: name) { owner[keyPath: field] = text }
        case .optionalTemplate(let field):
            if let template = template(value, named: name) { owner[keyPath: field] = template }
        case .signal(let field):
            if let signal = signal(value, named: name) { owner[keyPath: field] = signal }
        case .exitCodes(let field):
            if let codes = exitCodes(value, named: name) { owner[keyPath: field] = codes }
        case .choice(let choices, let set, _):
            if let choice = choice(value, among: choices, named: name) { set(&owner, choice) }
        case .group(let inner, let short):
            if let short, document.kind(value) == .scalar {
                form(short, value, &owner)
            } else {
                decode(value, by: inner, named: name, into: &owner, form: form)
            }
        case .form(let wanted): form(wanted, value, &owner)
        }
    }

    func expect(_ kind: YAMLDocument.Kind, _ node: NodeID, named name: String) -> Bool {
        guard document.kind(node) != kind else { return true }
        reportKind(of: node, "'\(name)'", takes: kind.sentence)
        return false
    }

    /// It is no such thing as a scalar, a list or a mapping that is taken there.
    func reportKind(of node: NodeID, _ subject: String, takes wanted: String, help: String? = nil) {
        report(
            .wrongType, at: node, "\(subject) takes \(wanted), and this is \(document.kind(node).sentence)", help: help)
    }
}

extension Codec {
    /// `env: null` in a sidecar says nothing, and does no harm.
    fileprivate var allowsNull: Bool {
        if case .form(.environment) = self { true } else { false }
    }
}

extension YAMLDocument.Kind {
    var sentence: String {
        switch self {
        case .scalar: "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}
