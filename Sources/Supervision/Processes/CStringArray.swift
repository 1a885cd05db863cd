/// Strings as C wants them for `argv` and `envp`: all bytes in one block, and pointers to them, the last one NULL.
struct CStringArray {
    private var bytes: [CChar] = []
    private var starts: [Int] = []

    init(_ strings: [String]) {
        starts.reserveCapacity(strings.count)
        bytes.reserveCapacity(strings.count * 48)
        for var string in strings {
            starts.append(bytes.count)
            string.withUTF8 { utf8 in utf8.withMemoryRebound(to: CChar.self) { bytes.append(contentsOf: $0) } }
            bytes.append(0)
        }
    }

    func withPointers<Result>(_ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result) -> Result {
        bytes.withUnsafeBufferPointer { bytes in
            var pointers: [UnsafeMutablePointer<CChar>?] = starts.map { start in
                bytes.baseAddress.map { UnsafeMutablePointer(mutating: $0 + start) }
            }
            pointers.append(nil)
            return pointers.withUnsafeBufferPointer { pointers in
                // Never empty: there is the NULL at the end.
                guard let base = pointers.baseAddress else {
                    preconditionFailure("an array with one element has a base")
                }
                return body(base)
            }
        }
    }
}
