import ArgumentParser
import Glibc
import Jobs
import MPI
import Training

/// A command that runs on all ranks of a job.
protocol ParallelCommand: ParsableCommand {
  /// Prepares this process, before MPI starts and others can be waited for.
  func prepare()

  /// Does the work. Collective.
  func run(_ communicator: Communicator) throws -> ExitStatus
}

extension ParallelCommand {
  func prepare() {}

  func run() throws {
    do { try AvailableMemory.requireToStart() } catch {
      // Where the first rank has too little too, it has said so, and mpirun ends this one meanwhile.
      if Environment.launchedRank > 0 { sleep(5) }
      report(error)
      Glibc.exit(ExitStatus.failed.rawValue)
    }
    prepare()
    do {
      // A job that has failed is ended by mpirun, which is no request of anybody's.
      let status = try Environment.run(reporting: {
        StopSignal.silence()
        report($0)
      }) { try run($0) }
      Glibc.exit(status.rawValue)
    } catch {
      Environment.abort(status: ExitStatus.failed.rawValue)
    }
  }
}
