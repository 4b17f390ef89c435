import Core
import MPI
import Preconditions

/// What ends a process, to be tried in one of its own.
nonisolated(unsafe) let faultScenarios: [String: (Communicator) throws -> Void] = [
  "precondition": { _ in
    let buffer = Buffer<Float>(count: 6)
    let matrix = Matrix(buffer.base, rows: 2, columns: 3)
    print(matrix.rows(1..<3).rows)
  },
  "precondition-failure": { _ in preconditionFailure("no way goes here") },
  "precondition-holds": { _ in
    func message() -> String { preconditionFailure("the message is computed") }
    precondition(CommandLine.arguments.count > 1, message())
  },
]
