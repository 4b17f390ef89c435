import Chunks
import Core
import Evaluation
import Glibc
import Random
import Testing

/// Searches of untrained encoder-decoders, of a vocabulary so small that every target can be weighed.
@Suite struct TranslatorTests {
  private static let vocabulary = 4
  private static let (begin, end): (Int32, Int32) = (0, 1)

  private static var tracks: TrackSet {
    TrackSet(
      [.input: .tokens(count: vocabulary), .target: .tokens(count: vocabulary)],
      source: .tokens(count: vocabulary))
  }

  /// Ways to attend, of one layer and of two.
  static let configurations: [ModelConfiguration] =
    [
      ("gru", 1, AttentionScoreKind.additive, AttentionMoment.before), ("lstm", 2, .dot, .after),
      ("rnn", 1, .none, .after),
    ].map { (cell: LayerNames, layers, score, attend) in
      var configuration = ModelConfiguration()
      (configuration.cell, configuration.layers) = (cell, layers)
      (configuration.hidden, configuration.embedding, configuration.bidirectional) = (6, 5, true)
      (configuration.sourceAttention.score, configuration.sourceAttention.attend) = (score, attend)
      configuration.initialState = layers == 2 ? .zero : .carried
      return configuration
    } + [transformer, mixed]

  private static var transformer: ModelConfiguration {
    var configuration = ModelConfiguration()
    (configuration.cell, configuration.layers, configuration.bidirectional) = ("attention", 2, true)
    (configuration.hidden, configuration.embedding) = (8, 8)
    (configuration.residual, configuration.mlp) = (true, 2)
    configuration[AttentionOptions.self].positions = .sinusoidal
    configuration.initialState = .zero
    return configuration
  }

  /// A decoder whose kinds of layers carry different states.
  private static var mixed: ModelConfiguration {
    var configuration = transformer
    (configuration.cell, configuration.decoder) = ("mingru", .named(["attention", "mamba"]))
    configuration.embedding = 16
    configuration[AttentionOptions.self].positions = .rotary
    return configuration
  }

  private func memory(
    _ configuration: ModelConfiguration, seed: UInt64 = 3, scale: Double = 3
  ) -> ParameterMemory {
    let memory = ParameterMemory(layout: Blueprint(configuration, tracks: Self.tracks).layout, shards: 0)
    var random = RandomStream(RandomKey(seed: seed, purpose: .synthesis))
    for i in 0..<memory.layout.count { memory.weights[i] = Float(scale * (random.uniform() - 0.5)) }
    return memory
  }

  private func translator(
    _ configuration: ModelConfiguration, seed: UInt64 = 3, scale: Double = 3,
    _ change: (inout DecodingOptions) -> Void = { _ in }
  ) -> Translator {
    var options = DecodingOptions()
    options.longest = 3
    change(&options)
    return Translator(
      configuration, tracks: Self.tracks, memory: memory(configuration, seed: seed, scale: scale),
      ends: .init(begin: Self.begin, end: Self.end), options)
  }

  private static let sources: [[Int32]] = [
    [2, 3, 2], [3], [2, 2, 3, 3, 2, 3], [3, 2], [0, 2], [3, 3, 3],
  ]

  /// The logits of what follows a beginning of the target, by one pass over all of it.
  private func logits(
    _ configuration: ModelConfiguration, _ source: [Int32], after target: [Int32]
  ) -> [Float] {
    let (model, chunk) = modelAndChunk(configuration, source, after: target)
    let row = model.predict(chunk)
    return Array(UnsafeBufferPointer(start: row.base, count: row.columns))
  }

  private func modelAndChunk(
    _ configuration: ModelConfiguration, _ source: [Int32], after target: [Int32]
  ) -> (Model, Chunk) {
    let inputs = [Self.begin] + target
    let shape = ChunkShape(steps: inputs.count, sourceSteps: source.count, shards: 1, lanesPerShard: 1)
    let model = Model(
      configuration, tracks: Self.tracks, memory: memory(configuration), shape: shape, precision: .float32)
    let chunk = Chunk(
      steps: inputs.count, sourceSteps: source.count, lanes: 1, tracks: Self.tracks)
    for (t, token) in inputs.enumerated() {
      chunk.tokens(.input)[t] = token
      chunk.resets[t] = t == 0 ? 1 : 0
    }
    for (s, token) in source.enumerated() {
      chunk.source?.tokens(.input)[s] = token
      chunk.source?.weights[s] = 1
      chunk.source?.resets[s] = s == 0 ? 1 : 0
    }
    return (model, chunk)
  }

  private func logProbabilities(_ logits: [Float]) -> [Double] {
    let total = logits.reduce(0) { $0 + exp(Double($1)) }
    return logits.map { Double($0) - log(total) }
  }

  @Test(arguments: configurations)
  func `a beam of one follows the most probable token, to the bit`(_ configuration: ModelConfiguration) {
    let found = translator(configuration).translate(Self.sources)
    for (source, translations) in zip(Self.sources, found) {
      var (target, score, isComplete) = ([Int32](), 0.0, false)
      while !isComplete {
        let row = logits(configuration, source, after: target)
        let token = row.indices.reduce(0) { row[$1] > row[$0] ? $1 : $0 }
        guard token == Self.end || target.count < 3 else { break }
        score += logProbabilities(row)[token]
        isComplete = token == Self.end
        if !isComplete { target.append(Int32(token)) }
      }
      #expect(translations.count == 1)
      #expect(translations[0].tokens == target && translations[0].isComplete == isComplete)
      #expect(abs(translations[0].score - score) < 1e-5)
    }
  }

  @Test(arguments: configurations, [0, 0.7])
  func `a beam that holds all targets finds the best of them, in order`(
    _ configuration: ModelConfiguration, _ penalty: Double
  ) {
    let found = translator(configuration) {
      ($0.beam, $0.best, $0.lengthPenalty) = (100, 7, penalty)
    }.translate(Self.sources)
    for (source, translations) in zip(Self.sources, found) {
      let all = targets(configuration, source, penalty).sorted { $0.score > $1.score }
      #expect(translations.map(\.tokens) == all.prefix(7).map(\.tokens))
      for (found, expected) in zip(translations, all) { #expect(abs(found.score - expected.score) < 1e-5) }
      #expect(translations.allSatisfy { $0.isComplete })
    }
  }

  @Test(arguments: configurations, [1, 3, 100])
  func `what a model has attended to follows each hypothesis`(
    _ configuration: ModelConfiguration, _ beam: Int
  ) {
    let found = translator(configuration) {
      ($0.beam, $0.best, $0.keepsAttention) = (beam, min(beam, 5), true)
    }.translate(Self.sources)
    for (source, translations) in zip(Self.sources, found) {
      for translation in translations {
        let tokens = translation.tokens
        let rows = tokens.count + (translation.isComplete ? 1 : 0)
        let (model, chunk) = modelAndChunk(configuration, source, after: tokens)
        _ = model.predict(chunk)
        let expected = (0..<rows).map { model.sourceAttention(ofRow: $0, positions: source.count) }
        guard model.attendsToSources else { continue }
        // Blocks that attend sum a step by itself in another order than one among others.
        #expect(translation.attention.map(\.count) == expected.map(\.count))
        #expect(zip(translation.attention.joined(), expected.joined()).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(expected.allSatisfy { abs($0.reduce(0, +) - 1) < 1e-6 })
      }
    }
    let without = translator(configuration) { ($0.beam, $0.best) = (beam, min(beam, 5)) }
    #expect(without.translate(Self.sources).joined().allSatisfy { $0.attention.isEmpty })
  }

  @Test func `translations are the same behind their numbers`() {
    let found =
      translator(Self.configurations[0]) { ($0.beam, $0.best, $0.keepsAttention) = (4, 3, true) }
      .translate(Self.sources + [[]]) + [[]]
    #expect(found.contains { $0.count == 3 && $0[0].attention.count > 1 })
    #expect(Translation.read(Translation.numbers(of: found)) == found)
  }

  /// Every target of up to three tokens.
  private func targets(
    _ configuration: ModelConfiguration, _ source: [Int32], _ penalty: Double
  ) -> [(tokens: [Int32], score: Double)] {
    var found: [(tokens: [Int32], score: Double)] = []
    func visit(_ target: [Int32], _ logProbability: Double) {
      let next = logProbabilities(logits(configuration, source, after: target))
      let ended = logProbability + next[Int(Self.end)]
      found.append((target, ended / pow((6 + Double(target.count)) / 6, penalty)))
      guard target.count < 3 else { return }
      for token in next.indices where token != Int(Self.end) {
        visit(target + [Int32(token)], logProbability + next[token])
      }
    }
    visit([], 0)
    return found
  }

  @Test(arguments: configurations, [1, 2, 3])
  func `what is found of a source does not depend on those beside it`(
    _ configuration: ModelConfiguration, _ beam: Int
  ) {
    func make(_ seed: UInt64) -> Translator {
      translator(configuration, seed: seed) { ($0.beam, $0.best, $0.longest) = (beam, beam, 12) }
    }
    // Many weights say nothing at all.
    let found = (3..<30).lazy.map { ($0, make($0).translate(Self.sources)) }.first { _, translations in
      translations.contains { $0[0].tokens.count > 1 }
    }
    guard let (seed, together) = found else {
      Issue.record("no weights say anything")
      return
    }
    func make() -> Translator { make(seed) }
    for (source, expected) in zip(Self.sources, together) {
      #expect(make().translate([source]) == [expected])
    }
    #expect(make().translate(Self.sources.reversed()) == together.reversed())
  }

  @Test func `an empty source has no translation, and changes none`() {
    let translator = translator(Self.configurations[0])
    let found = translator.translate([[], Self.sources[0], [], Self.sources[1]])
    #expect(found[0].isEmpty && found[2].isEmpty)
    #expect([found[1], found[3]] == translator.translate(Array(Self.sources.prefix(2))))
    #expect(translator.translate([]).isEmpty && translator.translate([[]]) == [[]])
  }

  /// Targets that end early are complete first, however little probable they are.
  @Test func `wider beams find no worse targets than the most probable tokens make`() {
    var compared = 0
    for configuration in Self.configurations {
      for seed in UInt64(1)...8 {
        func best(beam: Int) -> [Translation] {
          translator(configuration, seed: seed, scale: 9) { ($0.beam, $0.longest) = (beam, 20) }
            .translate(Self.sources).map { $0[0] }
        }
        for (narrow, wide) in zip(best(beam: 1), best(beam: 4)) where narrow.isComplete {
          compared += 1
          #expect(wide.score >= narrow.score - 1e-9)
        }
      }
    }
    #expect(compared > 30)
  }

  @Test func `draws are a function of the seed and the number of the source`() {
    let configuration = Self.configurations[0]
    func draw(seed: UInt64, _ sources: [[Int32]], first: Int = 0) -> [[Translation]] {
      translator(configuration) { ($0.sampler, $0.seed, $0.longest) = (Sampler(), seed, 30) }
        .translate(sources, first: first)
    }
    let drawn = draw(seed: 1, Self.sources)
    #expect(drawn == draw(seed: 1, Self.sources) && drawn != draw(seed: 2, Self.sources))
    #expect(draw(seed: 1, [Self.sources[2]], first: 2) == [drawn[2]])
    let same = draw(seed: 1, Array(repeating: [2, 3], count: 20))
    #expect(Set(same.map { $0[0].tokens }).count > 1)
  }

  @Test func `the coldest draws are the most probable tokens`() {
    for configuration in Self.configurations {
      let cold = translator(configuration) { $0.sampler = Sampler(temperature: 0) }
      #expect(cold.translate(Self.sources) == translator(configuration).translate(Self.sources))
    }
  }
}

extension Translator {
  /// The translations of texts, the first of which has the number `first`.
  fileprivate func translate(_ texts: [[Int32]], first: Int = 0) -> [[Translation]] {
    translate(texts.map { .tokens($0) }, numbers: texts.indices.map { first + $0 })
  }
}
