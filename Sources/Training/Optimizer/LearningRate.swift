import Glibc

/// The learning rate over the steps of a run: a pure function of the step and of the plateau's factor.
package struct LearningRate {
  let peak: Double
  let schedule: ScheduleConfiguration
  /// The number of updates of the whole run.
  let steps: Int

  package init(peak: Double, schedule: ScheduleConfiguration, steps: Int) {
    self.peak = peak
    self.schedule = schedule
    self.steps = steps
  }

  /// The rate of the update of number `step`, from 1; `factor` is what the plateau schedule has come to.
  ///
  /// It rises linearly over the warm-up, then follows the schedule:
  /// cosine: final + (1 - final) (1 + cos(pi x)) / 2 and linear: 1 - (1 - final) x, where x goes from 0 at the end of
  /// the warm-up to 1 at the end of the run; inverse square root: sqrt(w / step) with w = max(warmup, 1).
  package func rate(step: Int, factor: Double) -> Double {
    let warmup = schedule.warmup
    if step <= warmup { return peak * Double(step) / Double(warmup) }
    let x = min(1, Double(step - warmup) / Double(max(1, steps - warmup)))
    return switch schedule.name {
    case .constant: peak
    case .cosine: peak * (schedule.final + (1 - schedule.final) * (1 + cos(.pi * x)) / 2)
    case .linear: peak * (1 - (1 - schedule.final) * x)
    case .inverseSquareRoot: peak * (Double(max(warmup, 1)) / Double(step)).squareRoot()
    case .plateau: peak * factor
    }
  }
}
