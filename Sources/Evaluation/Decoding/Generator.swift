import Chunks
import Core
import Preconditions
import Random

/// Generates tokens from a language model, one after another: what was drawn is what it reads next.
package final class Generator {
  private let model: Model
  private let chunk: Chunk
  private let initial: [Float]
  private var isAtStart = true

  /// The tokens of a long prompt that are read at once. Each layer passes over all of them before the next, so that
  /// its weights stay in the cache, and nothing is predicted in between.
  private static let longestChunk = 64

  /// A generator at the beginning of a stream.
  ///
  /// The state is carried from token to token even where training begins every chunk with zero: a chunk is one token
  /// here, so that the model would remember nothing.
  ///
  /// - Parameters:
  ///   - tracks: Those of the data that the model was trained on.
  ///   - initial: What the stream begins with, as the model reads it, where they have such a track.
  package init(
    _ configuration: ModelConfiguration, tracks: TrackSet, memory: ParameterMemory, initial: [Float] = []
  ) {
    self.initial = initial
    model = Model(
      configuration.carryingState, tracks: tracks, memory: memory,
      shape: ChunkShape(steps: Self.longestChunk, shards: 1, lanesPerShard: 1), precision: .float32)
    chunk = Chunk(steps: Self.longestChunk, lanes: 1, tracks: tracks)
  }

  /// Reads `prompt`, which is not empty, and then draws tokens: a function of all tokens read before, the sampler and
  /// the seed.
  ///
  /// - Parameter emit: Called with each token as it is drawn.
  package func generate(
    prompt: [Int32], count: Int, sampler: Sampler, seed: UInt64, emit: (Int32) throws -> Void
  ) rethrows {
    precondition(!prompt.isEmpty, "a model begins by reading a token")
    var random = RandomStream(RandomKey(seed: seed, purpose: .generation))
    var rest = prompt.dropLast()
    while !rest.isEmpty {
      _ = read(rest.prefix(Self.longestChunk))
      rest = rest.dropFirst(Self.longestChunk)
    }
    var last = prompt[prompt.count - 1]
    for _ in 0..<count {
      let logits = read([last])
      last = Int32(sampler.draw(UnsafeBufferPointer(start: logits[0], count: logits.columns), &random))
      try emit(last)
    }
  }

  /// Has the model read tokens; returns the logits of the token that follows. [1, V]
  private func read(_ tokens: some Collection<Int32>) -> Matrix {
    chunk.clear(steps: tokens.count)
    for (t, token) in tokens.enumerated() {
      chunk.tokens(.input)[t] = token
      chunk.resets[t] = 0
    }
    if isAtStart { beginStream() }
    return model.predict(chunk)
  }

  private func beginStream() {
    isAtStart = false
    chunk.resets[0] = 1
    guard !initial.isEmpty else { return }
    for (column, value) in initial.enumerated() { chunk.frames(.initial)[0][column] = value }
  }
}
