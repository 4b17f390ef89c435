import Glibc
import MPI

/// Runs one scenario on the ranks that mpirun starts: `MultiRank SCENARIO [ARGUMENT]...`. Says what was wrong and ends
/// the job with status 1 where an expectation does not hold.
let scenarios = [mpiScenarios, fileScenarios, faultScenarios, trainingScenarios, trainingRunScenarios].reduce(
  into: [:]) {
    $0.merge($1) { first, _ in first }
  }

guard CommandLine.arguments.count >= 2, let scenario = scenarios[CommandLine.arguments[1]] else {
  print("usage: MultiRank SCENARIO, one of: \(scenarios.keys.sorted().joined(separator: " "))")
  exit(64)
}
do {
  try Environment.run(reporting: { print("rank \(Environment.launchedRank): \($0)") }, scenario)
} catch {
  if error is JobError { exit(2) }
  Environment.abort(status: 1)
}
