import Glibc

/// Numbers in a file that other programs have mapped too: what is written counts at once.
final class SharedNumbers {
    private let place: UnsafeMutablePointer<Int64>
    private let length: Int

    init(_ count: Int, in path: String) throws {
        length = count * MemoryLayout<Int64>.size
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        defer { close(descriptor) }
        guard descriptor >= 0, ftruncate(descriptor, off_t(length)) == 0,
            let mapped = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), mapped != MAP_FAILED
        else { throw HarnessError("cannot share \(path): errno \(errno)") }
        place = mapped.assumingMemoryBound(to: Int64.self)
    }

    deinit { munmap(place, length) }

    subscript(_ index: Int) -> Int {
        get { Int(place[index]) }
        set { place[index] = Int64(newValue) }
    }
}
