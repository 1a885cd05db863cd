/// Of all programs of the package.
package enum ProgramVersion {
    package static let current = "0.1.0"
}
