/// One key of the manifest: the only place that says what it is called, what it takes and what a change of it does.
///
/// Decoding, defaults, the check for unknown keys, the JSON Schema, the reference page and the fingerprints all follow
/// from these rows. `Owner` is the value the key is a part of.
package struct ManifestKey<Owner: Sendable>: Sendable {
    package let name: String
    package let codec: Codec<Owner>
    /// What holds without the key, where the model's own default doesn't say it.
    package let defaultNote: String?
    package let onChange: ChangeEffect
    package let summary: String
    /// A value in YAML, as it would stand behind the key.
    package let example: String
    /// Feeds the resolved value; keys that don't stand directly in a sidecar feed nothing. Neither in terms of `Owner`
    /// nor optional, as each call would then copy the spec.
    package let fingerprint: @Sendable (SidecarSpec, inout StableHasher) -> Void

    package init(
        _ name: String, _ codec: Codec<Owner>, default defaultNote: String? = nil, onChange: ChangeEffect = .inPlace,
        _ summary: String, example: String,
        fingerprint: @escaping @Sendable (SidecarSpec, inout StableHasher) -> Void = { _, _ in }
    ) {
        self.name = name
        self.codec = codec
        self.defaultNote = defaultNote
        self.onChange = onChange
        self.summary = summary
        self.example = example
        self.fingerprint = fingerprint
    }
}

/// The keys of one mapping, with an index by the hash of their names.
package struct KeyGroup<Owner: Sendable>: Sendable {
    package let keys: [ManifestKey<Owner>]
    /// Keys beginning with `x-` are allowed and ignored.
    package let allowsExtensions: Bool
    private let hashes: [UInt32]

    package init(allowsExtensions: Bool = false, _ keys: [ManifestKey<Owner>]) {
        self.keys = keys
        self.allowsExtensions = allowsExtensions
        hashes = keys.map { StableHasher.keyHash($0.name) }
    }

    /// What the key that takes this form is called, where there is one.
    package func key(of form: Form) -> String? {
        keys.first { if case .form(form) = $0.codec { true } else { false } }?.name
    }

    /// The row whose name has this hash. The caller compares the name.
    package func position(ofHash hash: UInt32) -> Int? { hashes.firstIndex(of: hash) }
}

/// How the value of a key is written, and where it goes.
package indirect enum Codec<Owner: Sendable>: Sendable {
    package typealias Field<Value> = any WritableKeyPath<Owner, Value> & Sendable

    case flag(Field<Bool>)
    case integer(ClosedRange<Int>, Field<Int>)
    case optionalInteger(ClosedRange<Int>, Field<Int?>)
    case number(ClosedRange<Double>, Field<Double>)
    case duration(DurationBounds, Field<Duration>)
    case optionalDuration(DurationBounds, Field<Duration?>)
    case optionalNumber(ClosedRange<Double>, Field<Double?>)
    case size(Field<ByteCount>)
    case optionalSize(Field<ByteCount?>)
    case optionalText(Field<String?>)
    case optionalTemplate(Field<Template?>)
    case signal(Field<Signal>)
    case exitCodes(Field<[Int32]>)
    case choice([String], set: @Sendable (inout Owner, String) -> Void, get: @Sendable (Owner) -> String?)
    /// A mapping whose keys belong to the same value; `short` is the form it may be abbreviated to.
    case group(KeyGroup<Owner>, short: Form?)
    /// A form with rules of its own.
    case form(Form)

    package static func choice<Value: RawRepresentable & CaseIterable & SendableMetatype>(_ field: Field<Value>)
        -> Codec
    where Value.RawValue == String {
        .choice(
            Value.allCases.map(\.rawValue),
            set: { owner, text in if let value = Value(rawValue: text) { owner[keyPath: field] = value } },
            get: { $0[keyPath: field].rawValue })
    }

    package static func optionalChoice<Value: RawRepresentable & CaseIterable & SendableMetatype>(
        _ field: Field<Value?>
    ) -> Codec
    where Value.RawValue == String {
        .choice(
            Value.allCases.map(\.rawValue),
            set: { owner, text in if let value = Value(rawValue: text) { owner[keyPath: field] = value } },
            get: { $0[keyPath: field]?.rawValue })
    }
}

package enum DurationBounds: Sendable {
    case any, positive
    case atLeast(Duration)
}

/// Values that are more than a scalar. Each is decoded by one function, and described once for the schema and the
/// reference.
package enum Form: String, Sendable, CaseIterable {
    // Top level.
    case version, projectName, projectID, defaults, secretSources, sidecars
    // Sidecars.
    case command, script, directory, environment, environmentFiles, ports, dependencies, health, restartPolicy, hooks
    case logDirectory, steps, secretUses, umask, limits, executable
    // Limits.
    case softLimit, hardLimit
    // Ports.
    case portRange, bindAddress
    // Dependencies.
    case condition
    // Probes.
    case http, tcp, exec, unix, file, log, notify
    case path, portChoice, host, method, headers, statusRange, pattern, scheme
}
