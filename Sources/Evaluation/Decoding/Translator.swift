import Chunks
import Core
import Glibc
import Preconditions
import Sequences

/// What a model says of a source.
package struct Translation: Sendable, Equatable {
  /// The tokens, without the one that ends them.
  package let tokens: [Int32]
  /// The logarithm of its probability, over what `DecodingOptions.lengthPenalty` makes of its length.
  package let score: Double
  /// Whether the model ended it, rather than the longest length.
  package let isComplete: Bool
  /// Where `DecodingOptions.keepsAttention`: of each token, and of the one that ended it, the weights that the model gave the
  /// positions of the source while it said it.
  package var attention: [[Float]] = []
}

/// How targets are looked for.
package struct DecodingOptions: Sendable, Equatable {
  /// The hypotheses that are followed side by side; 1 follows the most probable token.
  package var beam = 1
  /// alpha of ((5 + length) / 6)^alpha, which logarithms of probabilities are divided by (Wu et al. 2016); 0 for none. The
  /// token of the end counts.
  package var lengthPenalty = 0.0
  /// The translations of a source that are wanted, at most as many as the beam is wide.
  package var best = 1
  /// Draws each token, in place of a search.
  package var sampler: Sampler?
  /// The seed of the draws.
  package var seed: UInt64 = 1
  /// The most tokens of a translation, without the one that ends it.
  package var longest = 256
  /// Whether it is told what the model has attended to.
  package var keepsAttention = false

  /// The defaults.
  package init() {}

  /// The score of a hypothesis of so many tokens.
  func score(_ logProbability: Double, count: Int) -> Double {
    lengthPenalty == 0
      ? logProbability : logProbability / pow((5 + Double(count)) / 6, lengthPenalty)
  }
}

/// Looks for what an encoder-decoder says of sources, many side by side: by beam search, of which the most probable token
/// at each step is the narrowest, or by draws.
///
/// Sources are encoded once. Then the decoder goes on step by step, each hypothesis in a lane; where one goes on from
/// another, the lane takes over its states.
package final class Translator {
  private let configuration: ModelConfiguration
  private let tracks: TrackSet
  private let memory: ParameterMemory
  private let ends: Vocabulary.Ends
  private let options: DecodingOptions
  /// The sources that are decoded side by side.
  package let sourcesAtOnce: Int
  private var engine: DecodingEngine?
  /// Sources on their way to it.
  private var sources: Chunk?

  /// Hypotheses that are followed side by side, about.
  private static let lanes = 64

  /// - Parameters:
  ///   - tracks: Those of the data that the model was trained on.
  ///   - ends: What targets begin and end with.
  ///   - sources: The most that there are to decode at a time.
  package init(
    _ configuration: ModelConfiguration, tracks: TrackSet, memory: ParameterMemory, ends: Vocabulary.Ends,
    _ options: DecodingOptions, sources: Int = .max
  ) {
    precondition(options.beam > 0 && (1...options.beam).contains(options.best), "a beam has the best in it")
    self.configuration = configuration
    self.tracks = tracks
    self.memory = memory.withoutGradients
    self.ends = ends
    self.options = options
    sourcesAtOnce = max(1, min(sources, Self.lanes / options.beam))
  }

  /// The translations of each source, best first; none of an empty one. Sources of like length are decoded together; what is
  /// found of one does not depend on the others.
  ///
  /// - Parameter numbers: Those of the sources among all, the keys of their draws.
  package func translate(_ sources: [StreamValues], numbers: [Int]) -> [[Translation]] {
    let order = sources.indices.filter { sources[$0].count > 0 }.sorted {
      (sources[$0].count, $0) < (sources[$1].count, $1)
    }
    var found = [[Translation]](repeating: [], count: sources.count)
    let longest = order.last.map { sources[$0].count } ?? 1
    for start in stride(from: 0, to: order.count, by: sourcesAtOnce) {
      let group = order[start..<min(start + sourcesAtOnce, order.count)]
      let chunk = chunk(of: group.map { sources[$0] }, longest: longest)
      let translations = translate(
        0..<group.count, of: chunk, longest: longest, numbers: group.map { numbers[$0] })
      for (index, translations) in zip(group, translations) { found[index] = translations }
    }
    return found
  }

  /// The translations of the source of each lane of a chunk that has one, best first.
  ///
  /// - Parameter first: The number of the first lane among all sources, the key of its draws.
  package func translate(_ sources: Chunk, first: Int) -> [[Translation]] {
    let lanes = (0..<sources.lanes).filter { sources.weights[$0] > 0 }
    var found = [[Translation]](repeating: [], count: sources.lanes)
    for start in stride(from: 0, to: lanes.count, by: sourcesAtOnce) {
      let group = lanes[start..<min(start + sourcesAtOnce, lanes.count)]
      let translations = translate(
        group, of: sources, longest: sources.capacity, numbers: group.map { first + $0 })
      for (lane, translations) in zip(group, translations) { found[lane] = translations }
    }
    return found
  }

  /// Makes room for sources of so many positions.
  package func reserve(longest: Int) { _ = engine(longest: longest) }

  /// Whether the model attends to sources.
  package var attendsToSources: Bool { engine(longest: 1).attendsToSources }

  /// The translations of the sources of at most `sourcesAtOnce` lanes.
  private func translate(
    _ lanes: some Collection<Int>, of sources: Chunk, longest: Int, numbers: [Int]
  ) -> [[Translation]] {
    let engine = engine(longest: longest)
    var searches = numbers.map { TargetSearch(options, ends, number: $0) }
    let lengths = lanes.map { sources.length(ofLane: $0) }
    engine.encode(lanes, of: sources)
    while searches.contains(where: { !$0.isDone }) {
      let logits = engine.step(searches.map { $0.lanes })
      for index in searches.indices where !searches[index].isDone {
        searches[index].extend(logits, engine.scores, firstLane: index * options.beam) {
          engine.sourceAttention(lane: $0, positions: lengths[index])
        }
      }
    }
    return searches.map(\.translations)
  }

  /// Sources as a chunk, a lane each.
  private func chunk(of values: [StreamValues], longest: Int) -> Chunk {
    guard let tracks = tracks.ofSource else { preconditionFailure("the model reads pairs") }
    let chunk =
      if let sources, sources.capacity >= longest { sources } else {
        Chunk(steps: longest, lanes: sourcesAtOnce, tracks: tracks)
      }
    sources = chunk
    chunk.clear(steps: values.reduce(1) { max($0, $1.count) })
    for (lane, values) in values.enumerated() {
      for s in 0..<values.count {
        let row = s * chunk.lanes + lane
        values[s].write(to: chunk, .input, row: row)
        chunk.weights[row] = 1
        chunk.resets[row] = s == 0 ? 1 : 0
      }
    }
    return chunk
  }

  /// A model for sources of that length.
  private func engine(longest: Int) -> DecodingEngine {
    if let engine, engine.longest >= longest { return engine }
    let made = DecodingEngine(
      configuration, tracks: tracks, memory: memory, longest: longest, sources: sourcesAtOnce,
      beam: options.beam)
    engine = made
    return made
  }
}
