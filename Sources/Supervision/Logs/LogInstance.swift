/// Whose log it is: one replica of one sidecar.
package struct LogInstance: Hashable, Sendable, CustomStringConvertible {
    package var sidecar: String
    package var replica: Int

    package init(sidecar: String, replica: Int) {
        self.sidecar = sidecar
        self.replica = replica
    }

    package var description: String { "\(sidecar)/\(replica)" }

    /// `db.0`: the stem of its FIFOs and files.
    package var stem: String { "\(sidecar).\(replica)" }

    /// The file being written. Rotated ones are `db.0.20261123T100000.123456Z.log`, by the time of their rotation.
    package var fileName: String { stem + ".log" }

    func rotatedName(at time: WallTime) -> String { "\(stem).\(time.compact).log" }

    /// The name a rotated file had when it was rotated, whether it is compressed by now or not. Nil: it is none of ours.
    func rotatedName(ofFile name: String) -> String? {
        let plain = name.hasSuffix(LogCompressor.suffix) ? String(name.dropLast(LogCompressor.suffix.count)) : name
        return ownsRotated(plain) ? plain : nil
    }

    /// True for the rotated files of this instance, false for the current one and those of others.
    private func ownsRotated(_ name: String) -> Bool {
        let length = stem.utf8.count + 1 + 23 + 4
        guard name.utf8.count == length, name.hasPrefix(stem + "."), name.hasSuffix("Z.log") else { return false }
        return name.utf8.dropFirst(stem.utf8.count + 9).first == UInt8(ascii: "T")
    }
}

/// Which of a sidecar's outputs a line came from; `system` is what the supervisor notes between them.
package enum LogStream: String, Hashable, Codable, Sendable, CaseIterable { case stdout, stderr, system }
