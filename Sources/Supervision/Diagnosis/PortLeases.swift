/// The ports that projects of this user hold, running or not.
package enum PortLeases {
    /// By the registry's name of the port: `8080`, or `53.udp`. Throws when the directory can't be read.
    package static func all(in directory: String) throws(SystemError) -> [(name: String, lease: PortLease)] {
        try Directory.names(in: directory).filter { $0.first?.isNumber ?? false }.sorted().compactMap { name in
            PortRegistry.lease(at: directory + "/" + name).map { (name, $0) }
        }
    }
}
