import Chunks
import Core
import Random

/// A pair in a lane: what is read of the source and of the target, and what should be said of the target.
struct LanePair {
  var source: [Int]
  var inputs: [Int]
  var targets: [Int]

  /// A random pair of so many positions each.
  static func random(_ lengths: (source: Int, target: Int), below vocabulary: Int, seed: UInt64) -> LanePair {
    var random = RandomStream(RandomKey(seed: seed, purpose: .synthesis))
    func tokens(_ count: Int) -> [Int] { (0..<count).map { _ in random.below(vocabulary) } }
    return LanePair(
      source: tokens(lengths.source), inputs: tokens(lengths.target), targets: tokens(lengths.target))
  }
}

/// A chunk of pairs, one a lane, padded behind.
struct PairData {
  let pairs: [LanePair]
  let chunk: Chunk

  /// Of as many steps as the longest pair has, and so many more of padding, in a chunk that has room for `capacity`.
  init(_ pairs: [LanePair], vocabulary: Int, padding: Int = 0, capacity: (steps: Int, sourceSteps: Int)) {
    self.pairs = pairs
    chunk = Chunk(
      steps: capacity.steps, sourceSteps: capacity.sourceSteps, lanes: pairs.count,
      tracks: .pairs(vocabulary: vocabulary))
    guard let source = chunk.source else { preconditionFailure("the tracks are of pairs") }
    func longest(_ length: (LanePair) -> Int) -> Int {
      max(1, pairs.reduce(0) { max($0, length($1)) }) + padding
    }
    chunk.clear(steps: longest { $0.inputs.count })
    source.clear(steps: longest { $0.source.count })
    for (lane, pair) in pairs.enumerated() {
      for t in pair.inputs.indices {
        let position = t * pairs.count + lane
        chunk.tokens(.input)[position] = Int32(pair.inputs[t])
        chunk.tokens(.target)[position] = Int32(pair.targets[t])
        chunk.weights[position] = 1
        chunk.resets[position] = t == 0 ? 1 : 0
      }
      for s in pair.source.indices {
        let position = s * pairs.count + lane
        source.tokens(.input)[position] = Int32(pair.source[s])
        source.weights[position] = 1
        source.resets[position] = s == 0 ? 1 : 0
      }
    }
  }
}

extension TrackSet {
  /// Pairs of tokens of one vocabulary.
  static func pairs(vocabulary: Int) -> TrackSet {
    TrackSet(
      [.input: .tokens(count: vocabulary), .target: .tokens(count: vocabulary)],
      source: .tokens(count: vocabulary))
  }
}

/// An encoder-decoder of the core with random weights.
final class PairsUnderTest {
  let configuration: ModelConfiguration
  let memory: ParameterMemory
  let model: Model
  private let tracks: TrackSet

  init(
    _ configuration: ModelConfiguration, vocabulary: Int, shape: ChunkShape, trees: [Range<Int>]? = nil,
    arithmetic: Arithmetic = .float32, firstLane: Int = 0, dropoutSeed: UInt64? = 7
  ) {
    self.configuration = configuration
    tracks = .pairs(vocabulary: vocabulary)
    let layout = Blueprint(configuration, tracks: .pairs(vocabulary: vocabulary)).layout
    memory = ParameterMemory(layout: layout, trees: trees ?? (0..<shape.shards).map { $0..<$0 + 1 })
    for (index, parameter) in layout.parameters.enumerated() {
      let scale = 1.5 / Float(parameter.shape.count > 1 ? parameter.shape[1] : 4).squareRoot()
      for (i, value) in numbers(parameter.count, seed: UInt64(index)).enumerated() {
        memory.weights[parameter.offset + i] = scale * value
      }
    }
    model = Model(
      configuration, tracks: .pairs(vocabulary: vocabulary), memory: memory, shape: shape,
      precision: arithmetic.precision, bfloat16: arithmetic.bfloat16,
      tiles: [.whole(firstLane..<firstLane + shape.lanes, steps: shape.steps)], dropoutSeed: dropoutSeed)
  }

  /// The states that a model carries of which each step is a chunk.
  private var stepwiseStates: [(name: String, columns: Int)] {
    let model = Model(
      configuration.carryingState, tracks: tracks, memory: memory.withoutGradients,
      shape: ChunkShape(steps: 1, sourceSteps: 1, shards: 1, lanesPerShard: 1), precision: .float32,
      stepByStep: true)
    return model.states.map { ($0.name, $0.values.columns) }
  }

  /// The reference with these weights.
  var reference: ReferencePairModel {
    var parameters: [String: ReferenceParameter] = [:]
    for parameter in memory.layout.parameters {
      parameters[parameter.name] = ReferenceParameter(
        elements: values(parameter, in: memory.weights).map(Double.init),
        columns: parameter.shape.count > 1 ? parameter.shape.dropFirst().reduce(1, *) : parameter.count)
    }
    return ReferencePairModel(
      configuration: configuration, parameters: parameters,
      states: stepwiseStates)
  }

  /// The elements of a parameter in a vector of the layout.
  func values(_ parameter: Parameter, in vector: UnsafePointer<Float>) -> [Float] {
    Array(UnsafeBufferPointer(start: vector + parameter.offset, count: parameter.count))
  }
}
