import CAllocationCounter
import Evaluation
import Glibc
import Training

/// Trains to the end, and expects that in the second half of the steps the thread that trains allocates nothing, in
/// what comes between steps either, and that the memory of the process does not grow.
///
/// MPI takes memory itself for a message that comes before anybody waits for it, now and then: of several ranks less than one
/// allocation in each second step is expected.
func checkSteadyState(_ trainer: Trainer, ranks: Int) throws {
  let observer = SteadyStateObserver(steps: trainer.totalSteps)
  trainer.observer = observer
  let ending = try trainer.run { false }
  try expectEqual(ending, .finished)
  try expect(observer.counted.first.map { $0.allocations > 0 } == true, "allocations are counted")
  try expectEqual(observer.counted.count, 2)
  let (middle, end) = (observer.counted[0], observer.counted[1])
  let allocations = end.allocations - middle.allocations
  let most = ranks == 1 ? 0 : trainer.totalSteps / 4
  try expect(allocations <= most, "\(allocations) allocations in \(trainer.totalSteps / 2) steps")
  // The kernel counts pages in batches.
  let growth = end.residentPages - middle.residentPages
  try expect(growth <= 32, "from \(middle.residentPages) pages the resident memory has grown by \(growth)")
}

/// Counts in the middle and at the end of a training.
private final class SteadyStateObserver: TrainingObserver {
  private(set) var counted: [(allocations: Int, residentPages: Int)] = []
  private let steps: Int

  init(steps: Int) {
    self.steps = steps
    counted.reserveCapacity(2)
  }

  func didStep(_ progress: TrainingProgress, _ outcome: StepOutcome, learningRate: Double, waits: RankWaits?)
  {
    guard progress.step == steps / 2 || progress.step == steps else { return }
    counted.append((st_thread_allocations(), residentPages()))
  }

  func didValidate(_ progress: TrainingProgress, _ metrics: Metrics) {}

  func willSave(step: Int) {}

  func note(_ message: String) {}
}

/// The pages of this process that are in memory: the second number of `statm`. Allocates nothing.
private func residentPages() -> Int {
  let descriptor = open("/proc/self/statm", O_RDONLY)
  defer { close(descriptor) }
  return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
    text.initialize(repeating: 0)
    guard let base = text.baseAddress, read(descriptor, base, text.count - 1) > 0 else { return 0 }
    var second: UnsafeMutablePointer<CChar>?
    strtol(base, &second, 10)
    return second.map { strtol($0, nil, 10) } ?? 0
  }
}
