import Chunks
import Core
import Preconditions

/// An encoder-decoder that goes step by step: some sources side by side, each encoded in one lane, and decoded in as many
/// as its beam is wide.
final class DecodingEngine {
  /// The longest source that there is room for.
  let longest: Int
  /// Of the last step's logits.
  let scores: TokenScores

  private let model: Model
  private let chunk: Chunk
  private let source: Chunk
  /// What encodes the sources, a lane each: the model itself where beams are one lane wide.
  private let encoder: Model
  private let encoded: Chunk
  private let beam: Int
  private let decoderStates: [Matrix]
  /// A state before lanes took over those of others. [B, W]
  private let stateBefore: Buffer<Float>
  private var isAtStart = true

  /// Room for `sources` sources of up to `longest` positions.
  init(
    _ configuration: ModelConfiguration, tracks: TrackSet, memory: ParameterMemory, longest: Int,
    sources: Int,
    beam: Int
  ) {
    // Each step is a chunk.
    func make(lanes: Int) -> (Model, Chunk) {
      let shape = ChunkShape(steps: 1, sourceSteps: longest, shards: 1, lanesPerShard: lanes)
      return (
        Model(
          configuration.carryingState, tracks: tracks, memory: memory, shape: shape, precision: .float32,
          stepByStep: true),
        Chunk(steps: 1, sourceSteps: longest, lanes: lanes, tracks: tracks)
      )
    }
    let lanes = sources * beam
    (model, chunk) = make(lanes: lanes)
    (encoder, encoded) = beam == 1 ? (model, chunk) : make(lanes: sources)
    guard let source = chunk.source else { preconditionFailure("the model reads pairs") }
    scores = TokenScores(lanes: lanes)
    decoderStates = model.decoderStates.map(\.values)
    let widest = decoderStates.reduce(1) { max($0, $1.columns) }
    stateBefore = Buffer(count: lanes * widest)
    self.source = source
    self.longest = longest
    self.beam = beam
  }

  /// Encodes the sources of some lanes of a chunk of sources, each once for all lanes of its beam.
  func encode(_ lanes: some Collection<Int>, of sources: Chunk) {
    guard let read = encoded.source else { preconditionFailure("the model reads pairs") }
    read.clear(steps: sources.steps)
    for (index, lane) in lanes.enumerated() { read.copy(lane: lane, of: sources, to: index) }
    encoder.encode(encoded)
    isAtStart = true
    guard encoder !== model else { return }
    // The decoder is told how long they are.
    source.clear(steps: sources.steps)
    for place in 0..<lanes.count * beam { source.copy(lane: place / beam, of: read, to: place) }
    model.takeEncodings(of: encoder, steps: sources.steps, copies: beam)
  }

  /// Has the decoder read a token in each lane of each source, which goes on from its parent; returns the logits of what
  /// follows. [B, V]
  func step(_ lanes: [[(token: Int32, parent: Int)]]) -> Matrix {
    chunk.clear(steps: 1)
    if !isAtStart { takeOver(lanes) }
    for (index, hypotheses) in lanes.enumerated() {
      for (place, hypothesis) in hypotheses.enumerated() {
        chunk.tokens(.input)[index * beam + place] = hypothesis.token
        chunk.resets[index * beam + place] = isAtStart ? 1 : 0
      }
    }
    isAtStart = false
    let logits = model.decode(chunk)
    scores.measure(logits)
    return logits
  }

  var attendsToSources: Bool { model.attendsToSources }

  /// The weights that a lane's last step gave the positions of its source, of so many.
  func sourceAttention(lane: Int, positions: Int) -> [Float] {
    model.sourceAttention(ofRow: lane, positions: positions)
  }

  private func takeOver(_ lanes: [[(token: Int32, parent: Int)]]) {
    for state in decoderStates {
      let before = stateBefore.matrix(rows: state.rows, columns: state.columns)
      before.copy(from: state)
      for (index, hypotheses) in lanes.enumerated() {
        for (place, hypothesis) in hypotheses.enumerated() where hypothesis.parent != place {
          state[index * beam + place].update(
            from: before[index * beam + hypothesis.parent], count: state.columns)
        }
      }
    }
  }
}
