import Chunks
import Core
import Random

/// A chunk of a language model's data, time-major [T, B].
final class ChunkData {
  let steps: Int
  let lanes: Int
  private let chunk: Chunk
  private var inputs: UnsafeMutablePointer<Int32> { chunk.tokens(.input) }
  private var targets: UnsafeMutablePointer<Int32> { chunk.tokens(.target) }
  private var weights: UnsafeMutablePointer<Float> { chunk.weights }
  private var resets: UnsafeMutablePointer<UInt8> { chunk.resets }

  private init(steps: Int, capacity: Int? = nil, lanes: Int) {
    self.steps = steps
    self.lanes = lanes
    chunk = Chunk(steps: capacity ?? steps, lanes: lanes, tracks: .language(vocabulary: 1))
    chunk.steps = steps
  }

  /// Random tokens below `vocabulary`, weighted and reset as `weight` and `isReset` of (step, lane) say, in a chunk that
  /// has room for `capacity` steps.
  convenience init(
    steps: Int, capacity: Int? = nil, lanes: Int, vocabulary: Int, seed: UInt64 = 1,
    weight: (Int, Int) -> Float = { _, _ in 1 }, isReset: (Int, Int) -> Bool = { _, _ in false }
  ) {
    self.init(steps: steps, capacity: capacity, lanes: lanes)
    var random = RandomStream(RandomKey(seed: seed, purpose: .synthesis))
    for t in 0..<steps {
      for lane in 0..<lanes {
        let position = t * lanes + lane
        inputs[position] = Int32(random.below(vocabulary))
        targets[position] = Int32(random.below(vocabulary))
        weights[position] = weight(t, lane)
        resets[position] = isReset(t, lane) ? 1 : 0
      }
    }
  }

  /// Tokens [T, B] in one array each, all of weight 1, without resets.
  convenience init(lanes: Int, inputs: [Int32], targets: [Int32]) {
    self.init(steps: inputs.count / lanes, lanes: lanes)
    for position in inputs.indices {
      self.inputs[position] = inputs[position]
      self.targets[position] = targets[position]
      weights[position] = 1
    }
  }

  /// A copy of some of the steps and lanes.
  func part(steps: Range<Int>, lanes: Range<Int>) -> ChunkData {
    let part = ChunkData(steps: steps.count, lanes: lanes.count)
    for (row, t) in steps.enumerated() {
      for (column, lane) in lanes.enumerated() {
        let (to, from) = (row * lanes.count + column, t * self.lanes + lane)
        part.inputs[to] = inputs[from]
        part.targets[to] = targets[from]
        part.weights[to] = weights[from]
        part.resets[to] = resets[from]
      }
    }
    return part
  }

  /// Lends it as a chunk of the run.
  func withChunk<Result>(_ number: UInt32 = 0, _ body: (Chunk) -> Result) -> Result {
    chunk.number = number
    return body(chunk)
  }

  /// What the reference takes: a lane, whose number in the run is `firstLane` higher.
  func lane(_ lane: Int, _ number: UInt32 = 0, firstLane: Int = 0) -> LaneChunk {
    let positions = stride(from: lane, to: steps * lanes, by: lanes)
    return LaneChunk(
      inputs: positions.map { Int(inputs[$0]) }, targets: positions.map { Int(targets[$0]) },
      weights: positions.map { Double(weights[$0]) }, resets: positions.map { resets[$0] != 0 },
      lane: firstLane + lane, number: number)
  }
}
