import Core
import Preconditions
import Random

/// Generates tokens from a language model, one after another: what was drawn is what it reads next.
package final class Generator {
  private let configuration: ModelConfiguration
  private let model: LanguageModel
  private var isAtStart = true

  /// The tokens of a long prompt that are read at once. Each layer passes over all of them before the next, so that
  /// its weights stay in the cache, and nothing is predicted in between.
  private static let chunk = 64

  /// A generator at the beginning of a stream.
  ///
  /// The state is carried from token to token even where training begins every chunk with zero: a chunk is one token
  /// here, so that the model would remember nothing.
  package init(_ configuration: ModelConfiguration, memory: ParameterMemory) {
    var configuration = configuration
    if configuration.initialState == .zero { configuration.initialState = .carried }
    self.configuration = configuration
    model = Self.model(configuration, memory, chunk: 1)
  }

  private static func model(
    _ configuration: ModelConfiguration, _ memory: ParameterMemory, chunk: Int
  ) -> LanguageModel {
    LanguageModel(
      configuration, memory: memory, shape: ChunkShape(steps: chunk, shards: 1, lanesPerShard: 1),
      precision: .float32)
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
    readChunks(of: prompt.dropLast())
    var last = prompt[prompt.count - 1]
    for _ in 0..<count {
      let logits = read([last], by: model)
      last = Int32(sampler.draw(UnsafeBufferPointer(start: logits[0], count: logits.columns), &random))
      try emit(last)
    }
  }

  /// Reads tokens that nothing is drawn behind: whole chunks by a model of that many steps, the rest one by one.
  private func readChunks(of tokens: ArraySlice<Int32>) {
    var rest = tokens
    if rest.count >= Self.chunk {
      let reader = Self.model(configuration, model.memory, chunk: Self.chunk)
      Self.copyStates(from: model, to: reader)
      while rest.count >= Self.chunk {
        _ = read(Array(rest.prefix(Self.chunk)), by: reader)
        rest = rest.dropFirst(Self.chunk)
      }
      Self.copyStates(from: reader, to: model)
    }
    for token in rest { _ = read([token], by: model) }
  }

  private static func copyStates(from source: LanguageModel, to target: LanguageModel) {
    for (from, to) in zip(source.states, target.states) {
      to.values.base.update(from: from.values.base, count: to.values.count)
    }
  }

  /// Has `model` read as many tokens as it has steps, and returns the logits of the token that follows.
  private func read(_ tokens: [Int32], by model: LanguageModel) -> Matrix {
    var resets = [UInt8](repeating: 0, count: tokens.count)
    resets[0] = isAtStart ? 1 : 0
    isAtStart = false
    let weights = [Float](repeating: 0, count: tokens.count)
    return tokens.withUnsafeBufferPointer { tokens in
      resets.withUnsafeBufferPointer { resets in
        weights.withUnsafeBufferPointer { weights in
          guard let tokens = tokens.baseAddress, let resets = resets.baseAddress,
            let weights = weights.baseAddress
          else { preconditionFailure("a chunk has tokens") }
          return model.predict(
            TokenChunk(inputs: tokens, targets: tokens, weights: weights, resets: resets, lanes: 1, number: 0)
          )
        }
      }
    }
  }
}
