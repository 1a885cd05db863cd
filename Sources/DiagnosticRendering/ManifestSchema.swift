import SidecarModel

/// The JSON Schema (draft 2020-12) of a manifest, from the key table, for editors.
package func manifestSchema() -> String {
    var root = schema(of: projectKeys)
    root.insert(
        contentsOf: [
            .init("$schema", "https://json-schema.org/draft/2020-12/schema"),
            .init("title", "orchestrate manifest"),
        ], at: 0)
    root.append(.init("required", ["sidecars"]))
    root.append(
        .init(
            "$defs",
            .object([
                .init("sidecar", sidecarSchema()),
                .init("defaults", .object(schema(of: sidecarKeys, without: ["command", "shell", "depends_on"]))),
                .init("probe", .object(schema(of: probeKeys))),
                .init("port", anyOf([portRange, .object(schema(of: portKeys))])),
                .init("hook", .object(schema(of: hookKeys))),
                .init("command", commandSchema),
                .init("duration", anyOf([durationText, .object(["const": 0]), variable])),
                .init("positiveDuration", anyOf([durationText, variable])),
                .init("variable", .object(["type": "string", "pattern": "\\$\\{"])),
            ])))
    return JSONValue.object(root).text()
}

private func sidecarSchema() -> JSONValue {
    .object(schema(of: sidecarKeys))
}

private func schema<Owner>(of group: KeyGroup<Owner>, without left: [String] = []) -> [JSONValue.Member] {
    let properties = group.keys.filter { !left.contains($0.name) }.map { key in
        JSONValue.Member(key.name, describe(schema(of: key.codec), summary: key.summary))
    }
    var members: [JSONValue.Member] = [
        .init("type", "object"), .init("properties", .object(properties)),
    ]
    if group.allowsExtensions { members.append(.init("patternProperties", .object(["^x-": true]))) }
    members.append(.init("additionalProperties", false))
    return members
}

private func describe(_ schema: JSONValue, summary: String) -> JSONValue {
    guard case .object(let members) = schema else { return schema }
    return .object([.init("description", .string(summary))] + members)
}

private func schema<Owner>(of codec: Codec<Owner>) -> JSONValue {
    switch codec {
    case .flag: orVariable(.object(["type": "boolean"]))
    case .integer(let range, _), .optionalInteger(let range, _):
        orVariable(.object(["type": "integer", "minimum": .int(range.lowerBound), "maximum": .int(range.upperBound)]))
    case .number(let range, _), .optionalNumber(let range, _):
        orVariable(
            .object(["type": "number", "minimum": .double(range.lowerBound), "maximum": .double(range.upperBound)]))
    case .duration(let bounds, _): duration(bounds)
    case .optionalDuration(let bounds, _): duration(bounds)
    case .size, .optionalSize: orVariable(.object(["type": "string", "pattern": .string(SchemaPattern.size)]))
    case .optionalText, .optionalTemplate: text
    case .signal:
        anyOf([
            .object(["type": "string", "pattern": "^[A-Za-z0-9]+$"]),
            .object([
                "type": "string", "pattern": "^([Ss][Ii][Gg])?[Rr][Tt][Mm]([Ii][Nn]\\+|[Aa][Xx]-)([12]?[0-9]|30)$",
            ]),
            .object(["type": "integer", "minimum": 1, "maximum": 31]),
            .object(["type": "integer", "minimum": 34, "maximum": 64]), variable,
        ])
    case .exitCodes:
        anyOf([exitCode, .object(["type": "array", "items": exitCode])])
    case .choice(let choices, _, _): orVariable(.object(["enum": .array(choices.map { .string($0) })]))
    case .group(let group, nil): .object(schema(of: group))
    case .group(let group, let short?): anyOf([schema(of: short), .object(schema(of: group))])
    case .form(let form): schema(of: form)
    }
}

private func schema(of form: Form) -> JSONValue {
    switch form {
    case .version: orVariable(.object(["const": 1]))
    // A pattern binds text alone: `name: 5` is the text 5.
    case .projectName:
        .object(["type": ["string", "integer", "boolean"], "pattern": "^[a-z0-9-]{1,63}$|\\$\\{"])
    case .projectID:
        .object(["type": ["string", "number", "boolean"], "pattern": "^[A-Za-z0-9._-]{1,255}$|\\$\\{"])
    case .defaults: reference("defaults")
    case .secretSources:
        .object([
            "type": "object", "propertyNames": .object(["pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"]),
            "additionalProperties": .object(
                schema(of: secretSourceKeys) + [.init("minProperties", 1), .init("maxProperties", 1)]),
        ])
    case .secretUses:
        .object([
            "type": "object", "propertyNames": .object(["pattern": "^[A-Za-z_][A-Za-z0-9_]*$"]),
            "additionalProperties": anyOf([text, .object(schema(of: secretUseKeys) + [.init("required", ["from"])])]),
        ])
    case .umask: orVariable(.object(["type": "string", "pattern": "^[0-7]{1,4}$"]))
    case .limits:
        .object([
            "type": "object",
            "properties": .object(
                LimitName.allCases.map { .init($0.rawValue, anyOf([limitValue, .object(schema(of: limitKeys))])) }),
            "additionalProperties": false,
        ])
    case .softLimit, .hardLimit: limitValue
    case .executable: .object(["type": "string", "pattern": "^/|\\$\\{"])
    case .sidecars:
        .object([
            "type": "object", "minProperties": 1, "propertyNames": .object(["pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"]),
            "additionalProperties": reference("sidecar"),
        ])
    case .command, .exec: reference("command")
    case .script, .directory, .logDirectory, .bindAddress, .unix, .path, .host, .method, .pattern: text
    case .environment:
        .object([
            "type": ["object", "null"], "propertyNames": .object(["pattern": "^[A-Za-z_][A-Za-z0-9_]*$"]),
            "additionalProperties": .object(["type": ["string", "number", "boolean", "null"]]),
        ])
    case .environmentFiles: anyOf([environmentFile, .object(["type": "array", "items": environmentFile])])
    case .ports:
        .object([
            "type": "object", "propertyNames": .object(["pattern": .string(SchemaPattern.portName)]),
            "additionalProperties": reference("port"),
        ])
    case .portRange: portRange
    case .dependencies:
        anyOf([
            .object(["type": "array", "items": text]),
            .object([
                "type": "object",
                "additionalProperties": anyOf([
                    schema(of: .condition), .object(["type": "null"]), .object(schema(of: dependencyKeys)),
                ]),
            ]),
        ])
    case .condition:
        orVariable(.object(["enum": .array(DependencySpec.Condition.allCases.map { .string($0.rawValue) })]))
    case .health:
        anyOf([
            reference("probe"),
            .object([
                "type": "object",
                "properties": .object(ProbeRole.allCases.map { .init($0.rawValue, reference("probe")) }),
                "additionalProperties": false,
            ]),
        ])
    case .restartPolicy:
        orVariable(.object(["enum": .array(RestartSpec.Policy.allCases.map { .string($0.rawValue) })]))
    case .hooks:
        .object([
            "type": "object",
            "properties": .object(HookEvent.allCases.map { .init($0.rawValue, reference("hook")) }),
            "additionalProperties": false,
        ])
    case .steps: .object(["type": "array", "items": .object(schema(of: stepKeys))])
    case .http: anyOf([text, .object(schema(of: httpKeys))])
    case .tcp: anyOf([portChoice, .object(schema(of: tcpKeys))])
    case .file: anyOf([text, .object(schema(of: fileKeys))])
    case .log: anyOf([text, .object(schema(of: logCheckKeys))])
    case .notify: orVariable(.object(["const": true]))
    case .portChoice: portChoice
    case .headers: .object(["type": "object", "additionalProperties": text])
    case .statusRange: .object(["type": ["integer", "string"]])
    case .scheme: orVariable(.object(["const": "http"]))
    }
}

// MARK: Parts that occur more than once

private let variable = reference("variable")
private let text = JSONValue.object(["type": ["string", "number", "boolean"]])
private let portNumber = JSONValue.object(["type": "integer", "minimum": 1, "maximum": 65535])
private let portRange = anyOf([
    portNumber, .object(["type": "string", "pattern": .string(SchemaPattern.portRange)]), variable,
])
private let portChoice = anyOf([
    portNumber, .object(["type": "string", "pattern": .string(SchemaPattern.portName)]), variable,
])
private let exitCode = orVariable(.object(["type": "integer", "minimum": 0, "maximum": 255]))
private let limitValue = JSONValue.object(["type": ["integer", "string"]])
private let durationText = JSONValue.object(["type": "string", "pattern": .string(SchemaPattern.duration)])
private let commandSchema = anyOf([
    text,
    .object(["type": "array", "items": text, "minItems": 1]),
])
private let environmentFile = anyOf([text, .object(schema(of: environmentFileKeys))])

private func duration(_ bounds: DurationBounds) -> JSONValue {
    switch bounds {
    case .any: reference("duration")
    case .positive, .atLeast: reference("positiveDuration")
    }
}

private func reference(_ name: String) -> JSONValue { .object(["$ref": .string("#/$defs/\(name)")]) }
private func anyOf(_ schemas: [JSONValue]) -> JSONValue { .object(["anyOf": .array(schemas)]) }
private func orVariable(_ schema: JSONValue) -> JSONValue { anyOf([schema, variable]) }
