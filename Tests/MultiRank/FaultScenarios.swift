import CSupport
import Chunks
import Core
import Glibc
import MPI
import Preconditions

/// What ends a process, to be tried in one of its own.
nonisolated(unsafe) let faultScenarios: [String: (Communicator) throws -> Void] = [
  "precondition": { _ in
    let buffer = Buffer<Float>(count: 6)
    let matrix = Matrix(buffer.base, rows: 2, columns: 3)
    print(matrix.rows(1..<3).rows)
  },
  "refused-memory": { _ in print(Buffer<Float>(count: 1 << 50).count) },
  // Shared memory on a file system with less than is mapped: the path of a file there.
  "refused-pages": { _ in
    let size = 4 << 20
    let file = open(CommandLine.arguments[2], O_RDWR | O_CREAT, 0o600)
    try expect(file >= 0 && ftruncate(file, size) == 0, "a file can be made")
    let pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
    let own = Buffer<UInt8>(count: size)
    own.elements[4095] = 7
    try expect(st_populate(own.base, size) && own.elements[4095] == 7, "the system has pages")
    try expect(!st_populate(pages, size), "the file system has none")
    try expect(st_populate(own.base, size), "life goes on")
  },
  "precondition-failure": { _ in preconditionFailure("no way goes here") },
  "precondition-holds": { _ in
    func message() -> String { preconditionFailure("the message is computed") }
    precondition(CommandLine.arguments.count > 1, message())
  },
]
