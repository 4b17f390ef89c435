import COpenMPI

/// A failure of the job: what every rank throws where any of them failed.
package struct JobError: Error, CustomStringConvertible, Sendable {
  /// What the lowest failing rank's error says.
  package let message: String
  /// The lowest rank that failed, in the group that agreed.
  package let rank: Int
  /// How many ranks failed.
  package let failures: Int
  /// How many ranks there are.
  package let ranks: Int

  /// The message, after the number of a rank that failed while others did not. What rank 0 alone does is the whole
  /// job's.
  package var description: String { failures == ranks || rank == 0 ? message : "rank \(rank): \(message)" }
}

extension Communicator {
  /// The largest of the ranks' integers. Collective.
  package func maximum(_ value: Int) throws -> Int { try reduce(value, st_op_max()) }

  /// The smallest of the ranks' integers. Collective.
  package func minimum(_ value: Int) throws -> Int { try reduce(value, st_op_min()) }

  /// The sum of the ranks' integers, modulo 2^64. Collective.
  package func sum(_ value: Int) throws -> Int { try reduce(value, st_op_sum()) }

  /// Whether any rank says so. Collective.
  package func any(_ condition: Bool) throws -> Bool { try maximum(condition ? 1 : 0) == 1 }

  /// Runs `body` on every rank, and makes its failure on any of them the failure of all. Collective.
  ///
  /// So a job reports one failure once, and no rank is left waiting for one that has given up. `body` may do anything
  /// except collective calls that a rank which fails would not make; it may agree again.
  ///
  /// - Returns: what this rank's `body` returned, if no rank failed.
  /// - Throws: the same `JobError` on every rank, if any failed.
  package func agree<Result>(_ body: () throws -> Result) throws -> Result {
    let outcome = Swift.Result(catching: body)
    var failure: (any Error)?
    if case .failure(let error) = outcome { failure = error }
    let first = try minimum(failure == nil ? size : rank)
    guard first < size else { return try outcome.get() }

    // An agreement inside this one has found the rank already.
    let inner = failure as? JobError
    let origin = try broadcast(inner?.rank ?? first, from: first)
    let failures = try sum(failure == nil ? 0 : 1)
    let innerFailures = try broadcast(inner?.failures ?? failures, from: first)
    let message = try broadcast(inner?.message ?? failure.map { "\($0)" } ?? "", from: first)
    throw JobError(message: message, rank: origin, failures: min(failures, innerFailures), ranks: size)
  }

  private func reduce(_ value: Int, _ operation: MPI_Op?) throws -> Int {
    var result = value
    try wait("MPI_Allreduce") {
      MPI_Allreduce(st_in_place(), &result, 1, Int.handle, operation, handle)
    }
    return result
  }
}
