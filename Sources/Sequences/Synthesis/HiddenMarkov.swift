import Chunks
import Glibc
import Random
import Settings

/// What a hidden Markov model emits, to be predicted symbol by symbol.
///
/// Its probabilities are drawn once for the dataset; every stream begins in any state alike. The floor is that of the
/// exact filter, which knows them: minus the mean logarithm of the probability of each symbol after the first, given
/// those before it.
package struct HiddenMarkov: StreamTask {
  package static let name = "hmm"
  package static let abstract = "What a hidden Markov model emits, with the entropy left to its exact filter."
  package static let sizes: [Setting<HiddenMarkov>] = [
    .streams, Setting("length", \.length, .within(2, 1_000_000), "Symbols of a stream"),
    Setting("states", \.states, .within(1, 1000), "Hidden states"),
    Setting("symbols", \.symbols, .within(2, 65_000), "Different symbols"),
  ]
  package static let loss = StatedLoss.crossEntropy

  package var streams = 5000
  /// The symbols of a stream.
  package var length = 200
  /// The number of hidden states.
  package var states = 4
  /// The number of different symbols.
  package var symbols = 8

  package init() {}

  package var tracks: [TrackRole: TrackDescription] {
    get throws { [.input: try .symbols((0..<symbols).map { "\($0)" })] }
  }

  /// The model of a dataset.
  package func model(_ random: inout RandomStream) -> MarkovModel {
    // States last ten symbols or more, so that what came before tells much.
    let moves = random.distributions(states, over: states, sharpness: 1)
    let transitions = moves.enumerated().map { state, move in
      Distribution(
        weights: move.probabilities.enumerated().map { 0.1 * $1 + ($0 == state ? 0.9 : 0) })
    }
    return MarkovModel(
      transitions: transitions, emissions: random.distributions(states, over: symbols, sharpness: 2))
  }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    let model = model(&random)
    return { random in
      let tokens = model.draw(length, &random)
      return SyntheticStream(input: .tokens(tokens), floor: model.nats(of: tokens))
    }
  }
}

/// A hidden Markov model that begins in any state alike.
package struct MarkovModel: Sendable {
  /// Of the next state, for each state.
  package let transitions: [Distribution]
  /// Of the symbol, for each state.
  package let emissions: [Distribution]

  /// Draws a stream.
  func draw(_ length: Int, _ random: inout RandomStream) -> [Int32] {
    var state = random.below(transitions.count)
    return (0..<length).map { _ in
      let symbol = emissions[state].draw(&random)
      state = transitions[state].draw(&random)
      return Int32(symbol)
    }
  }

  /// Minus the logarithm of the probability of the symbols after the first, given the first: by the forward algorithm
  /// (Rabiner 1989), scaled at each symbol.
  package func nats(of tokens: [Int32]) -> Double {
    let states = transitions.indices
    var belief = states.map { _ in 1 / Double(states.count) }
    var nats = 0.0
    for (position, token) in tokens.enumerated() {
      let joint = states.map { belief[$0] * emissions[$0].probabilities[Int(token)] }
      let probability = joint.reduce(0, +)
      if position > 0 { nats -= log(probability) }
      belief = states.map { next in
        states.reduce(0) { $0 + joint[$1] * transitions[$1].probabilities[next] } / probability
      }
    }
    return nats
  }
}
