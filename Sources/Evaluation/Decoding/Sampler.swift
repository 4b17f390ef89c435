import Glibc
import Preconditions
import Random

/// How the next token is drawn from a model's logits.
package struct Sampler: Sendable, Equatable {
  /// What the logits are divided by: below 1 the probable tokens become more so; 0 takes the most probable token.
  package let temperature: Double
  /// Only the K most probable tokens are drawn (Fan et al. 2018); 0 for all.
  package let topK: Int
  /// Of those, only the fewest whose probabilities come to at least P are drawn (Holtzman et al. 2020); 1 for all.
  package let topP: Double

  /// A sampler of these settings; by default one that draws from the distribution as it is.
  package init(temperature: Double = 1, topK: Int = 0, topP: Double = 1) {
    precondition(temperature >= 0 && temperature.isFinite, "temperature \(temperature)")
    precondition(topK >= 0, "top K \(topK)")
    precondition(topP > 0 && topP <= 1, "top P \(topP)")
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
  }

  /// A token drawn from `logits`. Of equal logits the lower token is taken to be the more probable one.
  package func draw(_ logits: UnsafeBufferPointer<Float>, _ random: inout RandomStream) -> Int {
    precondition(!logits.isEmpty, "there is nothing to draw from")
    let largest = logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
    guard temperature > 0 else { return largest }
    func weight(_ token: Int) -> Double {
      exp((Double(logits[token]) - Double(logits[largest])) / temperature)
    }

    let most = topK == 0 ? logits.count : min(topK, logits.count)
    guard most < logits.count || topP < 1 else {
      return Self.draw(logits.indices.map { ($0, weight($0)) }, &random)
    }
    let order = DescendingOrder(logits)
    func mass(_ tokens: some Sequence<Int>) -> Double { tokens.reduce(0) { $0 + weight($1) } }
    let limit = topP * (most < logits.count ? mass(order.prefix(most)) : mass(logits.indices))
    var drawn: [(token: Int, weight: Double)] = []
    var total = 0.0
    for token in order.prefix(most) {
      if !drawn.isEmpty, total >= limit { break }
      drawn.append((token, weight(token)))
      total += weight(token)
    }
    return Self.draw(drawn, &random)
  }

  /// One of `tokens`, each as often as its weight says.
  private static func draw(_ tokens: [(token: Int, weight: Double)], _ random: inout RandomStream) -> Int {
    var rest = random.uniform() * tokens.reduce(0) { $0 + $1.weight }
    for (token, weight) in tokens {
      rest -= weight
      if rest < 0 { return token }
    }
    return tokens[tokens.count - 1].token
  }
}

/// The tokens in descending order of their logits, equal ones in ascending order: a binary heap, so that the first of
/// many tokens cost little more than a look at each.
private struct DescendingOrder: Sequence, IteratorProtocol {
  private let logits: UnsafeBufferPointer<Float>
  /// Every token comes before the two at twice its place and one or two further on.
  private var heap: [Int]

  init(_ logits: UnsafeBufferPointer<Float>) {
    self.logits = logits
    heap = Array(logits.indices)
    for place in (0..<heap.count / 2).reversed() { siftDown(from: place) }
  }

  mutating func next() -> Int? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      siftDown(from: 0)
    }
    return first
  }

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    logits[a] != logits[b] ? logits[a] > logits[b] : a < b
  }

  private mutating func siftDown(from place: Int) {
    var place = place
    while true {
      var first = place
      for child in 2 * place + 1...2 * place + 2
      where child < heap.count && isBefore(heap[child], heap[first]) {
        first = child
      }
      if first == place { return }
      heap.swapAt(place, first)
      place = first
    }
  }
}
