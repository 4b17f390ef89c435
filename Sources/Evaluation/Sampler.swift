import Core
import Glibc
import Random

/// How the next token is drawn from a model's logits.
public struct Sampler: Sendable, Equatable {
  /// What the logits are divided by: below 1 the probable tokens become more so; 0 takes the most probable token.
  public var temperature = 1.0
  /// Only the K most probable tokens are drawn (Fan et al. 2018); 0 for all.
  public var topK = 0
  /// Only the fewest tokens whose probabilities come to at least P are drawn (Holtzman et al. 2020); 1 for all.
  public var topP = 1.0

  /// Draws from the distribution as it is.
  public init() {}

  /// A token drawn from `logits`.
  public func draw(_ logits: UnsafeBufferPointer<Float>, _ random: inout RandomStream) -> Int {
    let order = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    guard temperature > 0 else { return order[0] }
    let kept = topK > 0 ? order.prefix(topK) : order[...]
    let largest = Double(logits[order[0]])
    let weights = kept.map { exp((Double(logits[$0]) - largest) / temperature) }
    let limit = topP * weights.reduce(0, +)
    var total = 0.0
    var count = 0
    while count < weights.count, count == 0 || total < limit {
      total += weights[count]
      count += 1
    }
    var rest = random.uniform() * total
    for index in 0..<count {
      rest -= weights[index]
      if rest < 0 { return kept[kept.startIndex + index] }
    }
    return kept[kept.startIndex + count - 1]
  }
}

/// Generates tokens from a language model, one after another: what was drawn is what it reads next.
public final class Generator {
  private let model: LanguageModel
  private var isAtStart = true

  /// A generator at the beginning of a stream.
  public init(_ configuration: ModelConfiguration, memory: ParameterMemory) {
    model = LanguageModel(
      configuration, memory: memory, shape: ChunkShape(steps: 1, shards: 1, lanesPerShard: 1),
      precision: .float32)
  }

  /// Reads `prompt`, which is not empty, and then draws tokens; a function of the prompt, the sampler and the seed.
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
