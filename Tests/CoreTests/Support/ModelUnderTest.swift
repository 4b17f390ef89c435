import Chunks
import Core

/// A model of the core with random weights, and its reference with the same.
final class ModelUnderTest {
  let configuration: ModelConfiguration
  let cell: LayerUnderTest
  let memory: ParameterMemory
  let model: Model
  let firstLane: Int
  private let dropoutSeed: UInt64?

  init(
    _ cell: LayerUnderTest, _ configuration: ModelConfiguration, vocabulary: Int, conditions: Int = 0,
    shape: ChunkShape,
    trees: [Range<Int>]? = nil, arithmetic: Arithmetic = .float32, firstLane: Int = 0,
    tiles: [Tile]? = nil, dropoutSeed: UInt64? = 7
  ) {
    var configuration = configuration
    cell.configure(&configuration)
    self.configuration = configuration
    self.cell = cell
    self.firstLane = firstLane
    self.dropoutSeed = dropoutSeed
    let tracks = TrackSet.language(vocabulary: vocabulary, conditions: conditions)
    let layout = Blueprint(configuration, tracks: tracks).layout
    memory = ParameterMemory(layout: layout, trees: trees ?? (0..<shape.shards).map { $0..<$0 + 1 })
    for (index, parameter) in layout.parameters.enumerated() {
      // Large enough that no gate is near linear, and biases and gains that the usual start would make zero or one.
      let scale = 1.5 / Float(parameter.shape.count > 1 ? parameter.shape[1] : 4).squareRoot()
      for (i, value) in numbers(parameter.count, seed: UInt64(index)).enumerated() {
        memory.weights[parameter.offset + i] = scale * value
      }
    }
    model = Model(
      configuration, tracks: tracks, memory: memory, shape: shape,
      precision: arithmetic.precision,
      bfloat16: arithmetic.bfloat16,
      tiles: tiles ?? [.whole(firstLane..<firstLane + shape.lanes, steps: shape.steps)],
      dropoutSeed: dropoutSeed)
  }

  /// Trains on a chunk of the run.
  func train(_ data: ChunkData, _ number: UInt32 = 0, finished: (Int) -> Void = { _ in }) {
    data.withChunk(number) { model.train($0, finished: finished) }
  }

  /// Evaluates a chunk of the run.
  func evaluate(_ data: ChunkData, _ number: UInt32 = 0) {
    data.withChunk(number) { model.evaluate($0) }
  }

  /// The reference with these weights.
  var reference: ReferenceModel {
    var parameters: [String: ReferenceParameter] = [:]
    for parameter in memory.layout.parameters {
      parameters[parameter.name] = ReferenceParameter(
        elements: values(parameter, in: memory.weights).map(Double.init),
        columns: parameter.shape.count > 1 ? parameter.shape.dropFirst().reduce(1, *) : parameter.count)
    }
    return ReferenceModel(
      configuration: configuration, layers: [cell.equations], parameters: parameters, dropoutSeed: dropoutSeed
    )
  }

  /// Random states, carried into the next chunk; whole numbers where they count.
  func randomizeStates() {
    for (index, state) in model.states.enumerated() {
      let counts = state.name.hasSuffix(".count") || state.name.hasSuffix(".next")
      for (i, value) in numbers(state.values.count, seed: 100 + UInt64(index)).enumerated() {
        state.values.base[i] = counts ? (6 * abs(value)).rounded() : value
      }
    }
  }

  /// The carried states of all lanes, [lane][state].
  var states: [[Vector]] { byLane(model.states.map(\.values)) }

  /// Arrays [B, W], one a state, as [lane][state].
  func byLane(_ arrays: [Matrix]) -> [[Vector]] {
    (0..<model.shape.lanes).map { lane in arrays.map { Vector(Self.row(lane, of: $0)) } }
  }

  static func row(_ row: Int, of matrix: Matrix) -> [Float] {
    Array(UnsafeBufferPointer(start: matrix[row], count: matrix.columns))
  }

  /// The elements of a parameter in a vector of the layout.
  func values(_ parameter: Parameter, in vector: UnsafePointer<Float>) -> [Float] {
    Array(UnsafeBufferPointer(start: vector + parameter.offset, count: parameter.count))
  }

  /// A whole vector of the layout, gaps included.
  func vector(_ start: UnsafePointer<Float>) -> [Float] {
    Array(UnsafeBufferPointer(start: start, count: memory.layout.count))
  }

  /// Sets the elements of a parameter.
  func set(_ parameter: Parameter, to values: [Float]) {
    precondition(values.count == parameter.count)
    (memory.weights + parameter.offset).update(from: values, count: values.count)
  }

  /// Sets all gradients to zero.
  func clearGradients() { model.clearGradients() }
}
