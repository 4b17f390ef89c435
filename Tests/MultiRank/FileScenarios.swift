import Glibc
import HDF5
import MPI

/// What must be tried in a process of its own. Each takes a path.
nonisolated(unsafe) let fileScenarios: [String: (Communicator) throws -> Void] = [
  // Where a file may not become large, the signal that says so must not come before the error.
  "full-disk": { _ in
    signal(SIGXFSZ, SIG_IGN)
    try File.createAtomically(CommandLine.arguments[2], existing: .replace) { try writeMegabytes($0) }
  },
  "unfinished-file": { _ in
    let file = try File.create(CommandLine.arguments[2])
    try writeMegabytes(file)
    if CommandLine.arguments[3] == "kill" { kill(getpid(), SIGKILL) }
    exit(0)
  },
]

private func writeMegabytes(_ file: File) throws {
  let tokens = try file.createDataset("tokens", of: Int32.self, shape: [0], growing: true)
  for _ in 0..<8 { try tokens.append([Int32](repeating: 7, count: 100_000)) }
}
