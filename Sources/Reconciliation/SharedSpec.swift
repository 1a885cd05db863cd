import SidecarModel

/// A spec that its group and all its instances look at. It takes a thousand bytes and dozens of references, and instances
/// are copied at every step: with each of them it would be most of the work.
final class SharedSpec: Sendable {
    let value: SidecarSpec

    init(_ value: SidecarSpec) { self.value = value }
}
