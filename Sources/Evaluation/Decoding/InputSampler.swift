import Chunks
import Core
import Glibc
import Preconditions
import Random

/// Puts tokens that a model draws itself in place of inputs of a chunk (scheduled sampling, Bengio et al. 2015).
///
/// A copy of the model reads the chunk step by step, from the states that enter it, and draws the inputs to be replaced
/// from what it says follows. An ordinary pass over the chunk then takes its inputs as they are, so gradients are exact, but
/// for how the draws depend on the weights.
///
/// The true input stays where a stream or a chunk begins, and where what comes before it counts for nothing.
package final class InputSampler {
  private let model: Model
  private let chunk: Chunk
  private let scores: TokenScores
  private let carries: Bool
  private let key: RandomKey
  private let firstLane: Int

  /// A sampler for chunks of a shape, whose inputs are the tokens that the model says.
  ///
  /// - Parameters:
  ///   - firstLane: The number of the first lane among all lanes, a part of the key of draws.
  package init(
    _ configuration: ModelConfiguration, tracks: TrackSet, memory: ParameterMemory, shape: ChunkShape,
    firstLane: Int, key: RandomKey
  ) {
    // Each step is a chunk.
    model = Model(
      configuration.carryingState, tracks: tracks, memory: memory.withoutGradients,
      shape: ChunkShape(
        steps: 1, sourceSteps: shape.sourceSteps, shards: shape.shards, lanesPerShard: shape.lanesPerShard),
      precision: .float32, stepByStep: true)
    chunk = Chunk(steps: 1, sourceSteps: shape.sourceSteps, lanes: shape.lanes, tracks: tracks)
    scores = TokenScores(lanes: shape.lanes)
    carries = configuration.initialState != .zero && tracks.source == nil
    self.key = key
    self.firstLane = firstLane
  }

  /// Whether a model reads the tokens that it says: those of a text that goes on, or of the targets of pairs.
  package static func applies(
    to configuration: ModelConfiguration, tracks: TrackSet, _ targets: TargetDescription
  ) -> Bool {
    guard case .tokens = tracks[.target], tracks[.input] == tracks[.target], targets.labels.isEmpty else {
      return false
    }
    return tracks.source != nil || !configuration.bidirectional
  }

  /// Call when the weights have changed.
  package func prepareWeights() { model.prepareWeights() }

  /// Replaces each input with probability `share`, of those that may be.
  ///
  /// - Parameters:
  ///   - number: That of the chunk, a part of the key of draws.
  ///   - states: Those that enter the chunk, of the model that is to read it. Chunks of pairs are entered by none.
  package func replaceInputs(
    of chunk: Chunk, number: UInt32, share: Double, from states: [CarriedState]
  ) {
    begin(chunk, from: states)
    let tokens = chunk.tokens(.input)
    for t in 0..<max(0, chunk.steps - 1) {
      self.chunk.copy(steps: t..<t + 1, of: chunk)
      let logits = model.decode(self.chunk)
      scores.measure(logits)
      for lane in 0..<chunk.lanes where chunk.weights[t * chunk.lanes + lane] > 0 {
        guard !chunk.isReset(t + 1, lane: lane) else { continue }
        var random = RandomStream(key, at: (number, UInt32(firstLane + lane), UInt32(t)))
        guard random.uniform() < share else { continue }
        tokens[(t + 1) * chunk.lanes + lane] = draw(logits, lane: lane, random.uniform())
      }
    }
  }

  private func begin(_ chunk: Chunk, from states: [CarriedState]) {
    if carries {
      // Those of a discriminator stand behind them.
      precondition(states.count >= model.states.count, "the states are those of such a model")
      for (own, state) in zip(model.states, states) { own.values.copy(from: state.values) }
    } else {
      model.clearStates()
    }
    guard let source = chunk.source else { return }
    self.chunk.source?.copy(steps: 0..<source.steps, of: source)
    model.encode(self.chunk)
  }

  /// The token at which the sum of probabilities passes a number in [0, 1).
  private func draw(_ logits: Matrix, lane: Int, _ uniform: Double) -> Int32 {
    let row = logits[lane]
    var rest = uniform
    for token in 0..<logits.columns {
      rest -= exp(Double(row[token]) - scores.normalizers.base[lane])
      if rest < 0 { return Int32(token) }
    }
    // Rounding has left a rest.
    return scores.largest.base[lane]
  }
}
