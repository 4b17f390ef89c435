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

  /// The numbers of the initial conditions.
  private let conditions: Int

  private init(steps: Int, capacity: Int? = nil, lanes: Int, conditions: Int = 0) {
    self.steps = steps
    self.lanes = lanes
    self.conditions = conditions
    chunk = Chunk(
      steps: capacity ?? steps, lanes: lanes, tracks: .language(vocabulary: 1, conditions: conditions))
    chunk.steps = steps
  }

  /// Random tokens below `vocabulary`, weighted and reset as `weight` and `isReset` of (step, lane) say, in a chunk that
  /// has room for `capacity` steps; with initial conditions of so many numbers.
  convenience init(
    steps: Int, capacity: Int? = nil, lanes: Int, vocabulary: Int, conditions: Int = 0, seed: UInt64 = 1,
    weight: (Int, Int) -> Float = { _, _ in 1 }, isReset: (Int, Int) -> Bool = { _, _ in false }
  ) {
    self.init(steps: steps, capacity: capacity, lanes: lanes, conditions: conditions)
    var random = RandomStream(RandomKey(seed: seed, purpose: .synthesis))
    if conditions > 0 {
      let frames = chunk.frames(.initial)
      for i in 0..<frames.count { frames.base[i] = Float(2 * random.uniform() - 1) }
    }
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

  /// Tokens [T, B] in one array each, all of weight 1, reset where `resets` is not 0, in a chunk that has room for
  /// `capacity` steps.
  convenience init(
    lanes: Int, capacity: Int? = nil, inputs: [Int32], targets: [Int32], resets: [Int32] = []
  ) {
    self.init(steps: inputs.count / lanes, capacity: capacity, lanes: lanes)
    for (position, reset) in resets.enumerated() { self.resets[position] = reset == 0 ? 0 : 1 }
    for position in inputs.indices {
      self.inputs[position] = inputs[position]
      self.targets[position] = targets[position]
      weights[position] = 1
    }
  }

  /// A copy of some of the steps and lanes, in a chunk that has room for `capacity` steps.
  func part(steps: Range<Int>, lanes: Range<Int>, capacity: Int? = nil) -> ChunkData {
    let part = ChunkData(
      steps: steps.count, capacity: capacity, lanes: lanes.count, conditions: conditions)
    for (row, t) in steps.enumerated() {
      for (column, lane) in lanes.enumerated() {
        let (to, from) = (row * lanes.count + column, t * self.lanes + lane)
        part.inputs[to] = inputs[from]
        part.targets[to] = targets[from]
        part.weights[to] = weights[from]
        part.resets[to] = resets[from]
        guard conditions > 0 else { continue }
        part.chunk.frames(.initial)[to].update(from: chunk.frames(.initial)[from], count: conditions)
      }
    }
    return part
  }

  /// A copy as a rank has it that computes these tiles.
  func part(tiles: [Tile]) -> ChunkData {
    let part = ChunkData(steps: tiles[0].steps.count, lanes: tiles.columnCount, conditions: conditions)
    for tile in tiles {
      part.copy(self.part(steps: tile.steps, lanes: tile.lanes), toLane: tile.columns.lowerBound)
    }
    return part
  }

  /// Copies the lanes of another of as many steps.
  private func copy(_ other: ChunkData, toLane first: Int) {
    for t in 0..<steps {
      for lane in 0..<other.lanes {
        let (to, from) = (t * lanes + first + lane, t * other.lanes + lane)
        inputs[to] = other.inputs[from]
        targets[to] = other.targets[from]
        weights[to] = other.weights[from]
        resets[to] = other.resets[from]
        guard conditions > 0 else { continue }
        chunk.frames(.initial)[to].update(from: other.chunk.frames(.initial)[from], count: conditions)
      }
    }
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
      initial: positions.map {
        Vector(conditions > 0 ? ModelUnderTest.row($0, of: chunk.frames(.initial)) : [])
      },
      lane: firstLane + lane, number: number)
  }
}

extension TrackSet {
  /// The tracks of a language model with initial conditions of so many numbers, none for 0.
  static func language(vocabulary: Int, conditions: Int) -> TrackSet {
    guard conditions > 0 else { return .language(vocabulary: vocabulary) }
    return TrackSet([
      .input: .tokens(count: vocabulary), .target: .tokens(count: vocabulary),
      .initial: .frames(width: conditions),
    ])
  }
}
