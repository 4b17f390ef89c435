import Glibc
import Jobs
import MPI
import Training

/// Trains a run, for tests of what comes after: `MultiRank training-run RUN KEY=VALUE...`.
nonisolated(unsafe) let trainingRunScenarios: [String: (Communicator) throws -> Void] = [
  "training-run": { world in
    let job = TrainingJob(
      configurationPath: nil, settings: Array(CommandLine.arguments.dropFirst(3)),
      runPath: CommandLine.arguments[2], fresh: false)
    try expect(try job.run(world) == .finished)
  }
]
