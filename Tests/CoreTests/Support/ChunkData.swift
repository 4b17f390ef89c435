import Core
import Random

/// The memory of a chunk, time-major [T, B].
final class ChunkData {
  let steps: Int
  let lanes: Int
  private let inputs: Buffer<Int32>
  private let targets: Buffer<Int32>
  private let weights: Buffer<Float>
  private let resets: Buffer<UInt8>

  private init(steps: Int, lanes: Int) {
    self.steps = steps
    self.lanes = lanes
    inputs = Buffer(count: steps * lanes)
    targets = Buffer(count: steps * lanes)
    weights = Buffer(count: steps * lanes)
    resets = Buffer(count: steps * lanes)
  }

  /// Random tokens below `vocabulary`, weighted and reset as `weight` and `isReset` of (step, lane) say.
  convenience init(
    steps: Int, lanes: Int, vocabulary: Int, seed: UInt64 = 1,
    weight: (Int, Int) -> Float = { _, _ in 1 }, isReset: (Int, Int) -> Bool = { _, _ in false }
  ) {
    self.init(steps: steps, lanes: lanes)
    var random = RandomStream(RandomKey(seed: seed, purpose: .synthesis))
    for t in 0..<steps {
      for lane in 0..<lanes {
        let position = t * lanes + lane
        inputs.base[position] = Int32(random.below(vocabulary))
        targets.base[position] = Int32(random.below(vocabulary))
        weights.base[position] = weight(t, lane)
        resets.base[position] = isReset(t, lane) ? 1 : 0
      }
    }
  }

  /// Tokens [T, B] in one array each, all of weight 1, without resets.
  convenience init(lanes: Int, inputs: [Int32], targets: [Int32]) {
    self.init(steps: inputs.count / lanes, lanes: lanes)
    for position in inputs.indices {
      self.inputs.base[position] = inputs[position]
      self.targets.base[position] = targets[position]
      weights.base[position] = 1
    }
  }

  /// A copy of some of the steps and lanes.
  func part(steps: Range<Int>, lanes: Range<Int>) -> ChunkData {
    let part = ChunkData(steps: steps.count, lanes: lanes.count)
    for (row, t) in steps.enumerated() {
      for (column, lane) in lanes.enumerated() {
        let (to, from) = (row * lanes.count + column, t * self.lanes + lane)
        part.inputs.base[to] = inputs.base[from]
        part.targets.base[to] = targets.base[from]
        part.weights.base[to] = weights.base[from]
        part.resets.base[to] = resets.base[from]
      }
    }
    return part
  }

  /// Lends the view that the core takes.
  func withChunk<Result>(_ number: UInt32 = 0, _ body: (TokenChunk) -> Result) -> Result {
    withExtendedLifetime(self) {
      body(
        TokenChunk(
          inputs: inputs.base, targets: targets.base, weights: weights.base, resets: resets.base,
          lanes: lanes,
          number: number))
    }
  }

  /// What the reference takes: a lane, whose number in the run is `firstLane` higher.
  func lane(_ lane: Int, _ number: UInt32 = 0, firstLane: Int = 0) -> LaneChunk {
    let positions = stride(from: lane, to: steps * lanes, by: lanes)
    return LaneChunk(
      inputs: positions.map { Int(inputs.base[$0]) }, targets: positions.map { Int(targets.base[$0]) },
      weights: positions.map { Double(weights.base[$0]) }, resets: positions.map { resets.base[$0] != 0 },
      lane: firstLane + lane, number: number)
  }
}
