import ArgumentParser
import Glibc
import MPI
import Training

/// A command that runs on all ranks of a job.
protocol ParallelCommand: ParsableCommand {
  /// Does the work. Collective.
  func run(_ communicator: Communicator) throws -> ExitStatus
}

extension ParallelCommand {
  func run() throws {
    do {
      let status = try Environment.run(reporting: report) { try run($0) }
      Glibc.exit(status.rawValue)
    } catch {
      Environment.abort(status: ExitStatus.failed.rawValue)
    }
  }
}
