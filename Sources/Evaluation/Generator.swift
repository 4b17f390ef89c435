import Core
import Random

/// Generates tokens from a language model, one after another: what was drawn is what it reads next.
public final class Generator {
  private let model: LanguageModel
  private var isAtStart = true

  /// A generator at the beginning of a stream.
  ///
  /// The state is carried from token to token even where training begins every chunk with zero: a chunk is one token
  /// here, so that the model would remember nothing.
  public init(_ configuration: ModelConfiguration, memory: ParameterMemory) {
    var configuration = configuration
    if configuration.initialState == .zero { configuration.initialState = .carried }
    model = LanguageModel(
      configuration, memory: memory, shape: ChunkShape(steps: 1, shards: 1, lanesPerShard: 1),
      precision: .float32)
  }

  /// Reads `prompt`, which is not empty, and then draws tokens: a function of all tokens read before, the sampler and
  /// the seed.
  ///
  /// - Parameter emit: Called with each token as it is drawn.
  public func generate(
    prompt: [Int32], count: Int, sampler: Sampler, seed: UInt64, emit: (Int32) throws -> Void
  ) rethrows {
    precondition(!prompt.isEmpty, "a model begins by reading a token")
    var random = RandomStream(RandomKey(seed: seed, purpose: .generation))
    for token in prompt.dropLast() { _ = read(token) }
    var last = prompt[prompt.count - 1]
    for _ in 0..<count {
      let logits = read(last)
      last = Int32(sampler.draw(UnsafeBufferPointer(start: logits[0], count: logits.columns), &random))
      try emit(last)
    }
  }

  /// The logits of the token that follows.
  private func read(_ token: Int32) -> Matrix {
    let reset: UInt8 = isAtStart ? 1 : 0
    isAtStart = false
    return withUnsafePointer(to: token) { token in
      withUnsafePointer(to: reset) { reset in
        withUnsafePointer(to: 0 as Float) { weight in
          model.predict(
            TokenChunk(inputs: token, targets: token, weights: weight, resets: reset, lanes: 1, number: 0))
        }
      }
    }
  }
}
