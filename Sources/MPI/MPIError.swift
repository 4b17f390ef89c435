import COpenMPI

/// A failed call into the MPI library.
package struct MPIError: Error, CustomStringConvertible, Sendable {
  /// The C function that failed.
  package let function: String
  /// What the library says about it.
  package let message: String

  /// `FUNCTION: MESSAGE`.
  package var description: String { "\(function): \(message)" }
}

/// Runs `body`, which is one call of the C function `function`, and throws what its status stands for.
@inline(__always)
func call(_ function: StaticString, _ body: () -> Int32) throws {
  let status = body()
  guard status == MPI_SUCCESS else { throw failure(of: function, status) }
}

/// The same for a call that waits for other ranks.
@inline(__always)
func wait(_ function: StaticString, _ body: () -> Int32) throws {
  try WaitClock.own.during { try call(function, body) }
}

@inline(never)
private func failure(of function: StaticString, _ status: Int32) -> MPIError {
  var length: Int32 = 0
  let message = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(MPI_MAX_ERROR_STRING) + 1) {
    text in
    text.initialize(repeating: 0)
    guard let base = text.baseAddress, MPI_Error_string(status, base, &length) == MPI_SUCCESS else {
      return "status \(status)"
    }
    return String(cString: base)
  }
  return MPIError(function: function.description, message: message)
}
