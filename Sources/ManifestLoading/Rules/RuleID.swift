package import SidecarModel

/// Every kind of problem a manifest can have. The raw values are stable: people silence rules and look them up by them.
package enum RuleID: String, CaseIterable, Sendable {
    // The file and its YAML.
    case manifestNotFound = "manifest-not-found"
    case manifestUnreadable = "manifest-unreadable"
    case emptyManifest = "empty-manifest"
    case yamlSyntax = "yaml-syntax"
    case yamlTab = "yaml-tab"
    case yamlNeedsQuotes = "yaml-needs-quotes"
    case yamlInvalidUTF8 = "yaml-invalid-utf8"
    case yamlControlCharacter = "yaml-control-character"
    case yamlTooLarge = "yaml-too-large"
    case yamlTooDeep = "yaml-too-deep"
    case yamlTooManyNodes = "yaml-too-many-nodes"
    case yamlAliasExpansion = "yaml-alias-expansion"
    case yamlUnknownAlias = "yaml-unknown-alias"
    case yamlRecursiveAlias = "yaml-recursive-alias"
    case yamlDuplicateAnchor = "yaml-duplicate-anchor"
    case yamlMultipleDocuments = "yaml-multiple-documents"
    case yamlKeyNotText = "yaml-key-not-text"
    case yamlMergeNotMapping = "yaml-merge-not-mapping"
    case yamlUnknownTag = "yaml-unknown-tag"
    case duplicateKey = "duplicate-key"

    // Keys and values.
    case unknownKey = "unknown-key"
    case unsupportedKey = "unsupported-key"
    case wrongType = "wrong-type"
    case missingValue = "missing-value"
    case missingKey = "missing-key"
    case invalidBoolean = "invalid-boolean"
    case invalidNumber = "invalid-number"
    case outOfRange = "out-of-range"
    case invalidChoice = "invalid-choice"
    case invalidSignal = "invalid-signal"
    case invalidDuration = "invalid-duration"
    case invalidSize = "invalid-size"
    case missingUnit = "missing-unit"

    // Variables and references.
    case interpolationSyntax = "interpolation-syntax"
    case undefinedVariable = "undefined-variable"
    case requiredVariable = "required-variable"
    case unknownReference = "unknown-reference"
    case referenceNotAllowed = "reference-not-allowed"
    case referenceWithoutDependency = "reference-without-dependency"
    case ambiguousReplica = "ambiguous-replica"
    case replicaOutOfRange = "replica-out-of-range"

    // The project.
    case unsupportedVersion = "unsupported-version"
    case invalidProjectName = "invalid-project-name"
    case invalidProjectID = "invalid-project-id"
    case noSidecars = "no-sidecars"
    case invalidSidecarName = "invalid-sidecar-name"
    case keyNotInDefaults = "key-not-in-defaults"

    // What runs.
    case commandMissing = "command-missing"
    case commandAndShell = "command-and-shell"
    case commandEmpty = "command-empty"
    case unbalancedQuote = "unbalanced-quote"
    case externalWithCommand = "external-with-command"
    case shellOperatorInCommand = "shell-operator-in-command"
    case shellWithoutExec = "shell-without-exec"
    case tildeNotExpanded = "tilde-not-expanded"
    case commandNotFound = "command-not-found"
    case commandNotExecutable = "command-not-executable"
    case directoryNotFound = "directory-not-found"
    case ignoredForExternal = "ignored-for-external"
    case primaryExternal = "primary-external"

    // Environment.
    case invalidVariableName = "invalid-variable-name"
    case environmentFileNotFound = "env-file-not-found"
    case environmentFileSyntax = "env-file-syntax"
    case dotEnvironmentSyntax = "dotenv-syntax"
    case secretInPlainText = "secret-in-plain-text"
    case portVariableOverridden = "port-variable-overridden"

    // Secrets.
    case invalidSecretName = "invalid-secret-name"
    case secretSource = "secret-source"
    case secretNotFound = "secret-not-found"
    case unknownSecret = "unknown-secret"
    case unusedSecret = "unused-secret"
    case secretVariableClash = "secret-variable-clash"
    case secretInterpolated = "secret-interpolated"

    // Users and limits.
    case invalidAccount = "invalid-account"
    case accountNotFound = "account-not-found"
    case invalidUmask = "invalid-umask"
    case invalidLimit = "invalid-limit"
    case notPermitted = "not-permitted"
    case resourcesNotEnforced = "resources-not-enforced"
    case staleNotAbsolute = "stale-not-absolute"

    // Ports.
    case invalidPort = "invalid-port"
    case invalidPortName = "invalid-port-name"
    case portRangeReversed = "port-range-reversed"
    case portRangeTooSmall = "port-range-too-small"
    case portRangesTooFull = "port-ranges-too-full"
    case fixedPortWithReplicas = "fixed-port-with-replicas"
    case portUsedTwice = "port-used-twice"
    case portVariableClash = "port-variable-clash"
    case invalidBindAddress = "invalid-bind-address"
    case portUnavailable = "port-unavailable"
    case unknownPort = "unknown-port"

    // Dependencies.
    case unknownDependency = "unknown-dependency"
    case selfDependency = "self-dependency"
    case duplicateDependency = "duplicate-dependency"
    case dependencyCycle = "dependency-cycle"
    case healthyWithoutReadiness = "healthy-without-readiness"
    case succeededOnService = "succeeded-on-service"
    case quorumExceedsReplicas = "quorum-exceeds-replicas"
    case dependencyWithoutReplicas = "dependency-without-replicas"

    // Health.
    case probeWithoutCheck = "probe-without-check"
    case probeWithSeveralChecks = "probe-with-several-checks"
    case probeNeedsPort = "probe-needs-port"
    case unsupportedProbe = "unsupported-probe"
    case invalidStatus = "invalid-status"
    case invalidPattern = "invalid-pattern"
    case invalidHTTPRequest = "invalid-http-request"
    case invalidHost = "invalid-host"
    case healthMixed = "health-mixed"
    case pushedLiveness = "pushed-liveness"
    case livenessBeforeStartup = "liveness-before-startup"
    case probeAfterStartTimeout = "probe-after-start-timeout"
    case probeOfUDPPort = "probe-of-udp-port"
    case probeHitsOtherSidecar = "probe-hits-other-sidecar"
    case externalWithoutProbe = "external-without-probe"
    case pushedProbeOnExternal = "pushed-probe-on-external"

    // Start, restart, stop, standard input and output, hooks.
    case settleExceedsTimeout = "settle-exceeds-timeout"
    case maxDelayBelowDelay = "max-delay-below-delay"
    case noRestartAfterSuccess = "no-restart-after-success"
    case taskRestartsAlways = "task-restarts-always"
    case timeoutNeedsTask = "timeout-needs-task"
    case stopBySIGKILL = "stop-by-sigkill"
    case stepsAndSignal = "steps-and-signal"
    case stdioNeedsService = "stdio-needs-service"
    case stdioMergesOutputs = "stdio-merges-outputs"
    case stdioPerClient = "stdio-per-client"
    case ignoredPerClient = "ignored-per-client"
    case stdioHidesLogProbe = "stdio-hides-log-probe"
    case hookWithoutAction = "hook-without-action"
    case hookWithSeveralActions = "hook-with-several-actions"
    case invalidWebhook = "invalid-webhook"

    package var severity: Diagnostic.Severity {
        switch self {
        case .yamlDuplicateAnchor, .referenceWithoutDependency, .shellOperatorInCommand, .shellWithoutExec,
            .tildeNotExpanded, .ignoredForExternal, .dotEnvironmentSyntax, .secretInPlainText, .portVariableOverridden,
            .portRangeTooSmall, .healthyWithoutReadiness, .succeededOnService, .dependencyWithoutReplicas,
            .pushedLiveness, .livenessBeforeStartup, .externalWithoutProbe,
            .probeOfUDPPort, .probeHitsOtherSidecar, .maxDelayBelowDelay, .noRestartAfterSuccess, .taskRestartsAlways,
            .stdioHidesLogProbe, .ignoredPerClient,
            .unusedSecret, .accountNotFound, .resourcesNotEnforced,
            .stopBySIGKILL, .portUnavailable, .commandNotFound, .commandNotExecutable, .directoryNotFound:
            .warning
        default: .error
        }
    }
}
