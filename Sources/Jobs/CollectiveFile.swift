import MPI
import Preconditions

extension Communicator {
  /// Lends `body` a new file on rank 0, which is in its place once it is complete. Collective.
  ///
  /// - Parameters:
  ///   - create: Called on rank 0: lends what it is given the file, and completes it, wholly or not at all.
  ///   - body: Collective; throws on all ranks or on none. Also returns what writes the last of the file.
  /// - Throws: `JobError` where the file can't be made or written, `body` throws.
  func creating<NewFile, Result>(
    _ create: (_ body: (NewFile) throws -> Void) throws -> Void,
    _ body: (NewFile?) throws -> (Result, finish: () throws -> Void)
  ) throws -> Result {
    var result: Result?
    do {
      if rank == 0 {
        try withoutActuallyEscaping(body) { body in
          try create { file in
            try agree {}
            let (value, finish) = try body(file)
            result = value
            try finish()
          }
        }
      } else {
        try agree {}
        result = try body(nil).0
      }
    } catch let error as JobError {
      throw error
    } catch {
      // Rank 0 alone, before the others have passed the first agreement or while they wait in the last.
      try agree { throw error }
    }
    try WaitClock.own.withoutLimit { try agree {} }
    guard let result else { preconditionFailure("the body has run") }
    return result
  }
}
