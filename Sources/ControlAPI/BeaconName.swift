/// What a project's beacon is called: the same for its supervisor and for whoever looks for it.
package enum BeaconName {
    package static func of(identity: String, uid: UInt32) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in identity.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "orchestrate/\(uid)/\(String(hash, radix: 16))"
    }
}
