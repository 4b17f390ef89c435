import Chunks
import Glibc
import Random
import Settings

/// Streams of Markov chains, each labelled at its last symbol with the chain that made it.
///
/// The chains' transition probabilities are drawn once for the dataset. The floor is that of a model which knows
/// them: minus the logarithm of the class's posterior probability, by Bayes.
package struct Classes: StreamTask {
  package static let name = "classes"
  package static let abstract = "Streams of several Markov chains, to be told apart at their ends."
  package static let sizes: [Setting<Classes>] = [
    .streams, Setting("length", \.length, .within(2, 1_000_000), "Symbols of a stream"),
    Setting("symbols", \.symbols, .within(2, 1000), "Different symbols"),
    Setting("classes", \.classes, .within(2, 1000), "Different chains"),
  ]
  package static let loss = StatedLoss.crossEntropy

  package var streams = 20_000
  /// The symbols of a stream.
  package var length = 30
  /// The number of different symbols.
  package var symbols = 8
  /// The number of different chains.
  package var classes = 4

  package init() {}

  package var tracks: [TrackRole: TrackDescription] {
    get throws {
      [
        .input: try .symbols((0..<symbols).map { "\($0)" }),
        .target: try .symbols((0..<classes).map { "class \($0)" }),
      ]
    }
  }

  package var trivial: Double? { log(Double(classes)) }

  /// The transition probabilities of each class: rows of the symbol before, columns of the one that follows.
  package func chains(_ random: inout RandomStream) -> [[Distribution]] {
    (0..<classes).map { _ in random.distributions(symbols, over: symbols, sharpness: 0.5) }
  }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    let chains = chains(&random)
    return { random in
      let label = random.below(classes)
      var tokens = [random.below(symbols)]
      var scores = [Double](repeating: 0, count: classes)
      while tokens.count < length {
        let last = tokens[tokens.count - 1]
        let next = chains[label][last].draw(&random)
        for (number, chain) in chains.enumerated() { scores[number] += log(chain[last].probabilities[next]) }
        tokens.append(next)
      }
      let nats = log(scores.reduce(0) { $0 + exp($1 - scores[label]) })
      return SyntheticStream(
        input: .tokens(tokens.map { Int32($0) }), target: .tokens(.last(Int32(label), of: length)),
        weights: .last(1, of: length), floor: nats)
    }
  }
}
