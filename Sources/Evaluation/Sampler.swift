import Glibc
import Random

/// How the next token is drawn from a model's logits.
public struct Sampler: Sendable, Equatable {
  /// What the logits are divided by: below 1 the probable tokens become more so; 0 takes the most probable token.
  public let temperature: Double
  /// Only the K most probable tokens are drawn (Fan et al. 2018); 0 for all.
  public let topK: Int
  /// Of those, only the fewest whose probabilities come to at least P are drawn (Holtzman et al. 2020); 1 for all.
  public let topP: Double

  /// A sampler of these settings; by default one that draws from the distribution as it is.
  public init(temperature: Double = 1, topK: Int = 0, topP: Double = 1) {
    precondition(temperature >= 0 && temperature.isFinite, "temperature \(temperature)")
    precondition(topK >= 0, "top K \(topK)")
    precondition(topP > 0 && topP <= 1, "top P \(topP)")
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
  }

  /// A token drawn from `logits`. Of equal logits the lower token is taken to be the more probable one.
  public func draw(_ logits: UnsafeBufferPointer<Float>, _ random: inout RandomStream) -> Int {
    precondition(!logits.isEmpty, "there is nothing to draw from")
    // Neither the most probable token nor a draw from all of them needs an order.
    guard temperature > 0, topK > 0 || topP < 1 else {
      guard temperature > 0 else { return largest(logits) }
      return draw(logits, Array(logits.indices)[...], &random)
    }
    let order = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    return draw(logits, topK > 0 ? order.prefix(topK) : order[...], &random)
  }

  private func largest(_ logits: UnsafeBufferPointer<Float>) -> Int {
    logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
  }

  /// Draws from the fewest of `tokens`, which are in descending order where that matters, that come to `topP`.
  private func draw(
    _ logits: UnsafeBufferPointer<Float>, _ tokens: ArraySlice<Int>, _ random: inout RandomStream
  ) -> Int {
    let largest = Double(logits[largest(logits)])
    let weights = tokens.map { exp((Double(logits[$0]) - largest) / temperature) }
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
      if rest < 0 { return tokens[index] }
    }
    return tokens[count - 1]
  }
}
