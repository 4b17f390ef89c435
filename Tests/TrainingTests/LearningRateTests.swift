import Settings
import Testing
import Training

@Suite struct LearningRateTests {
  private func rates(
    _ name: ScheduleName, warmup: Int = 4, final: Double = 0, steps: Int, at places: [Int],
    factor: Double = 1
  ) -> [Double] {
    var schedule = ScheduleConfiguration()
    (schedule.name, schedule.warmup, schedule.final) = (name, warmup, final)
    let rate = LearningRate(peak: 0.8, schedule: schedule, steps: steps)
    return places.map { rate.rate(step: $0, factor: factor) }
  }

  private func expectClose(_ found: [Double], _ expected: [Double]) {
    #expect(
      found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) < 1e-15 },
      "expected \(expected), found \(found)")
  }

  @Test func `literal values`() {
    expectClose(rates(.constant, steps: 12, at: [1, 2, 4, 5, 12]), [0.2, 0.4, 0.8, 0.8, 0.8])
    expectClose(rates(.linear, steps: 12, at: [3, 4, 6, 8, 12]), [0.6, 0.8, 0.6, 0.4, 0])
    expectClose(rates(.linear, final: 0.5, steps: 12, at: [8, 12, 20]), [0.6, 0.4, 0.4])
    // cos of 45, 90 and 180 degrees.
    expectClose(
      rates(.cosine, steps: 12, at: [4, 6, 8, 12]), [0.8, 0.4 * (1 + 0.5.squareRoot()), 0.4, 0])
    expectClose(rates(.cosine, final: 0.25, steps: 12, at: [8, 12]), [0.5, 0.2])
    expectClose(rates(.inverseSquareRoot, steps: 12, at: [2, 4, 16, 64]), [0.4, 0.8, 0.4, 0.2])
    expectClose(rates(.inverseSquareRoot, warmup: 0, steps: 12, at: [1, 4]), [0.8, 0.4])
    expectClose(rates(.plateau, steps: 12, at: [2, 4, 5], factor: 0.25), [0.4, 0.8, 0.2])
  }

  @Test func `no warmup and short runs`() {
    expectClose(rates(.linear, warmup: 0, steps: 4, at: [1, 4]), [0.6, 0])
    expectClose(rates(.cosine, warmup: 9, steps: 3, at: [1, 3]), [0.8 / 9, 0.8 / 3])
  }

  @Test func `totals of steps and epochs`() throws {
    func total(steps: Int, epochs: Int, accumulate: Int = 1) throws -> Int {
      var training = TrainingConfiguration()
      (training.steps, training.epochs, training.accumulate) = (steps, epochs, accumulate)
      return try training.totalSteps(chunksPerEpoch: 10)
    }
    #expect(try total(steps: 7, epochs: 0) == 7)
    #expect(try total(steps: 0, epochs: 3) == 30)
    #expect(try total(steps: 7, epochs: 3) == 7)
    #expect(try total(steps: 70, epochs: 3) == 30)
    #expect(try total(steps: 0, epochs: 3, accumulate: 4) == 7)
    #expect(try total(steps: 0, epochs: 1, accumulate: 16) == 1)
  }

  @Test func `epochs that are more steps than a run can have are refused`() throws {
    var training = TrainingConfiguration()
    (training.steps, training.epochs) = (0, Int(UInt32.max))
    #expect(try training.totalSteps(chunksPerEpoch: 1) == Int(UInt32.max))
    for chunks in [2, 1 << 40] {
      let found = #expect(throws: ConfigurationError.self) {
        try training.totalSteps(chunksPerEpoch: chunks)
      }
      let most = Int(UInt32.max) / chunks
      #expect("\(try #require(found))".contains("set training.epochs to at most \(most), or training.steps"))
    }
    training.steps = 7
    #expect(try training.totalSteps(chunksPerEpoch: 1 << 40) == 7)
  }

  @Test func `plateau and early stopping`() {
    var schedule = ScheduleConfiguration()
    (schedule.name, schedule.factor, schedule.patience) = (.plateau, 0.5, 2)
    var progress = TrainingProgress()
    var factors: [Double] = []
    var stopped: [Bool] = []
    for (index, loss) in [3, 2, 2.5, 2, .nan, 2.1, 2.2, 2.3, 1, 1.5].enumerated() {
      progress.step = index + 1
      progress.note(validation: loss, by: .loss, isDue: true, schedule: schedule, patience: 6)
      factors.append(progress.learningRateFactor)
      stopped.append(progress.stoppedEarly)
    }
    // As in torch.optim.lr_scheduler.ReduceLROnPlateau: lowered by the first validation beyond the patience.
    #expect(factors == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25])
    #expect(stopped.prefix(8) == [false, false, false, false, false, false, false, true])
    #expect(progress.bestValidation == 1 && progress.bestStep == 9 && progress.validationsSinceBest == 1)

    // One that is not due makes the best, and nothing else.
    var extended = progress
    extended.step += 1
    extended.note(validation: 0.5, by: .loss, isDue: false, schedule: schedule, patience: 6)
    #expect(extended.bestValidation == 0.5 && extended.bestStep == 11)
    (extended.step, extended.bestValidation, extended.bestStep) = (progress.step, 1, 9)
    #expect(extended == progress)
  }
}
