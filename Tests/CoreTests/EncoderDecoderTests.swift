import Chunks
import Core
import TestSupport
import Testing

/// An encoder-decoder.
struct PairCase: Sendable, CustomTestStringConvertible {
  let cell: LayerNames
  var score = AttentionScoreKind.dot
  var attend = AttentionMoment.after
  var bidirectional = false
  var layers = 1
  /// What a case is called that is told by more than these.
  var name: String?
  var configure: @Sendable (inout ModelConfiguration) -> Void = { _ in }

  var testDescription: String {
    name ?? "\(cell) \(score) \(attend)" + (bidirectional ? " bidirectional" : "") + " of \(layers)"
  }

  /// Residual blocks with perceptrons, in encoder and decoder.
  private static func blocks(
    _ name: String, encoder: LayerNames, decoder: DecoderLayers = .same, bidirectional: Bool = true,
    layers: Int = 2, configure: @escaping @Sendable (inout ModelConfiguration) -> Void = { _ in }
  ) -> PairCase {
    PairCase(
      cell: encoder, bidirectional: bidirectional, layers: layers, name: name,
      configure: {
        ($0.hidden, $0.decoder, $0.residual, $0.mlp) = (4, decoder, true, 2)
        ($0[AttentionOptions.self].heads, $0[AttentionOptions.self].memory) = (2, 20)
        $0[MambaOptions.self].states = 2
        configure(&$0)
      })
  }

  /// Every score, moment and direction of one cell; every cell; several layers of one and of several cells.
  static let all =
    AttentionScoreKind.allCases.flatMap { score in
      AttentionMoment.allCases.flatMap { attend in
        [false, true].map { PairCase(cell: "gru", score: score, attend: attend, bidirectional: $0) }
      }
    }
    + ["rnn", "lstm", "lstm2"].flatMap { cell in
      AttentionMoment.allCases.map { PairCase(cell: cell, score: .general, attend: $0, bidirectional: true) }
    }
    + [
      PairCase(cell: "gru", score: .additive, attend: .before, layers: 2),
      PairCase(cell: "lstm", score: .scaled, attend: .after, bidirectional: true, layers: 2),
      PairCase(cell: ["lstm", "gru"], score: .dot, attend: .before, bidirectional: true, layers: 2),
      PairCase(cell: ["gru", "lstm"], score: .none, attend: .before, layers: 2),
      PairCase(cell: ["lstm", "gru"], score: .cosine, attend: .after, layers: 3),
      PairCase(
        cell: "attention", score: .general, bidirectional: true, name: "encoder of attention, decoder of gru",
        configure: { ($0.hidden, $0[AttentionOptions.self].heads, $0.decoder) = (4, 2, .named("gru")) }),
      blocks("transformer", encoder: "attention"),
      blocks("transformer of one direction with a short memory", encoder: "attention", bidirectional: false) {
        $0[AttentionOptions.self].memory = 2
      },
      blocks("transformer with sinusoidal positions and norms behind", encoder: "attention") {
        ($0.normFirst, $0[AttentionOptions.self].positions) = (false, .sinusoidal)
      },
      blocks("encoder of gru, decoder of attention", encoder: "gru", decoder: .named("attention")) {
        ($0.mlpKind, $0.norm) = (.gated, .rms)
      },
      blocks(
        "encoder of mamba, decoder of attention", encoder: "mamba", decoder: .named("attention"), layers: 1),
      blocks(
        "encoder of attention, decoder of mamba and conv", encoder: "attention",
        decoder: .named(["mamba", "conv"])),
      blocks("decoder of gru and attention", encoder: "mingru", decoder: .named(["gru", "attention"])),
    ]

  var configuration: ModelConfiguration {
    var configuration = ModelConfiguration()
    (configuration.cell, configuration.layers, configuration.bidirectional) = (cell, layers, bidirectional)
    (configuration.hidden, configuration.embedding) = (3, 4)
    (configuration.sourceAttention.score, configuration.sourceAttention.attend) = (score, attend)
    configure(&configuration)
    configuration.fitEmbedding()
    return configuration
  }
}

/// Encoder-decoders against the equations in Double, and what holds of all models.
@Suite struct EncoderDecoderTests {
  private static let vocabulary = 6

  /// Pairs of unequal lengths, one a lane; the third has none, the fourth a source of one position.
  private func pairs(_ count: Int, seed: UInt64 = 1) -> [LanePair] {
    let lengths = [(5, 3), (2, 6), (0, 0), (1, 1), (7, 2), (6, 6)]
    return (0..<count).map { lane in
      .random(lengths[lane % lengths.count], below: Self.vocabulary, seed: 100 * seed + UInt64(lane))
    }
  }

  private func data(_ pairs: [LanePair], padding: Int = 0, capacity: (Int, Int) = (11, 12)) -> PairData {
    PairData(pairs, vocabulary: Self.vocabulary, padding: padding, capacity: capacity)
  }

  private func tested(_ configuration: ModelConfiguration, shards: Int, lanesPerShard: Int) -> PairsUnderTest
  {
    PairsUnderTest(
      configuration, vocabulary: Self.vocabulary,
      shape: ChunkShape(steps: 11, sourceSteps: 12, shards: shards, lanesPerShard: lanesPerShard))
  }

  @Test(arguments: PairCase.all)
  func `passes agree with the equations`(_ way: PairCase) {
    let tested = tested(way.configuration, shards: 2, lanesPerShard: 3)
    let data = data(pairs(6))
    tested.model.train(data.chunk)
    let reference = tested.reference
    let attends = way.score != .none || !way.configuration.hasRecurrentDecoder
    #expect(tested.model.attendsToSources == attends)
    for (lane, pair) in data.pairs.enumerated() {
      let expected = reference.run(pair)
      for t in pair.inputs.indices {
        let row = t * data.pairs.count + lane
        expectAgreement(
          ModelUnderTest.row(row, of: tested.model.hidden), expected.hidden[t].elements, tolerance: 4e-6,
          scale: 1, "hidden of step \(t), lane \(lane)")
        guard attends else { continue }
        expectAgreement(
          tested.model.sourceAttention(ofRow: row, positions: pair.source.count), expected.attention[t],
          tolerance: 1e-6, scale: 1, "attention of step \(t), lane \(lane)")
      }
      #expect(abs(tested.model.laneLosses[lane] - expected.losses.reduce(0, +)) < 1e-5, "lane \(lane)")
    }
    for parameter in tested.memory.layout.parameters {
      for shard in 0..<2 {
        let pairs = Array(data.pairs[3 * shard..<3 * shard + 3])
        expectAgreement(
          tested.values(parameter, in: tested.memory.gradients[shard]),
          slopes(reference, parameter.name, pairs), tolerance: 1e-5, scale: 1,
          "gradient of \(parameter.name), shard \(shard)")
      }
    }
  }

  /// Central differences of the sum of the losses.
  private func slopes(_ model: ReferencePairModel, _ name: String, _ pairs: [LanePair]) -> [Double] {
    let difference = 1e-5
    var moved = model
    func value() -> Double {
      pairs.reduce(0) { sum, pair in
        sum + (pair.inputs.isEmpty ? 0 : moved.run(pair).losses.reduce(0, +))
      }
    }
    return (model.parameters[name]?.elements ?? []).indices.map { index in
      let old = moved.parameters[name]?.elements[index] ?? 0
      defer { moved.parameters[name]?.elements[index] = old }
      moved.parameters[name]?.elements[index] = old + difference
      let above = value()
      moved.parameters[name]?.elements[index] = old - difference
      return (above - value()) / (2 * difference)
    }
  }

  /// What a model computed of some lanes, which make a shard.
  private func results(_ tested: PairsUnderTest, _ data: PairData, shard: Int) -> [(
    name: String, bits: [UInt64]
  )] {
    let shape = tested.model.shape
    let lanes = shard * shape.lanesPerShard..<(shard + 1) * shape.lanesPerShard
    var rows: [Int] = []
    for lane in lanes { rows += data.pairs[lane].inputs.indices.map { $0 * shape.lanes + lane } }
    func wide(_ values: [Float]) -> [UInt64] { bits(values).map(UInt64.init) }
    let losses = tested.model.losses
    var results = [("losses", rows.map { losses[$0].bitPattern })]
    results.append(("outputs", wide(rows.flatMap { ModelUnderTest.row($0, of: tested.model.hidden) })))
    for parameter in tested.memory.layout.parameters {
      let gradient = tested.values(parameter, in: tested.memory.gradients[shard])
      results.append(("gradient of \(parameter.name)", wide(gradient)))
    }
    return results
  }

  private func expectSame(
    _ found: [(name: String, bits: [UInt64])], _ expected: [(name: String, bits: [UInt64])]
  ) {
    for (found, expected) in zip(found, expected) {
      let differing = zip(found.bits, expected.bits).count { $0 != $1 }
      #expect(differing == 0 && found.bits.count == expected.bits.count, "\(expected.name)")
      #expect(expected.bits.contains { $0 != 0 }, "\(expected.name)")
    }
  }

  @Test(arguments: PairCase.all)
  func `padding changes nothing, to the bit`(_ way: PairCase) {
    let (short, long) = (data(pairs(6)), data(pairs(6), padding: 5))
    #expect(short.chunk.steps + 5 == long.chunk.steps)
    let found = [short, long].map { data in
      let tested = tested(way.configuration, shards: 1, lanesPerShard: 6)
      tested.model.train(data.chunk)
      return results(tested, data, shard: 0)
    }
    expectSame(found[0], found[1])
  }

  @Test(arguments: PairCase.all, Arithmetic.all)
  func `four shards in one model give the bits of four models`(_ way: PairCase, _ arithmetic: Arithmetic) {
    var configuration = way.configuration
    (configuration.hidden, configuration.embedding) = (20, 9)
    configuration.fitEmbedding()
    (configuration.dropout, configuration.variationalDropout.input) = (0.3, 0.2)
    func model(shards: Int, firstLane: Int) -> PairsUnderTest {
      PairsUnderTest(
        configuration, vocabulary: Self.vocabulary,
        shape: ChunkShape(steps: 11, sourceSteps: 12, shards: shards, lanesPerShard: 3),
        arithmetic: arithmetic, firstLane: firstLane)
    }
    let together = model(shards: 4, firstLane: 0)
    // As long in every shard: oneDNN's bits depend on the rows of a product.
    let pairs: [LanePair] = (0..<12).map { lane in
      let lengths = [(8, 4), (3, 7), (3, 4)][lane % 3]
      return .random(lengths, below: Self.vocabulary, seed: UInt64(lane))
    }
    let whole = data(pairs)
    together.model.train(whole.chunk)
    for shard in 0..<4 {
      let part = data(Array(pairs[3 * shard..<3 * shard + 3]))
      let alone = model(shards: 1, firstLane: 3 * shard)
      alone.model.train(part.chunk)
      expectSame(results(together, whole, shard: shard), results(alone, part, shard: 0))
    }
  }

  /// As beams do, of which each source is encoded once.
  @Test(arguments: PairCase.all)
  func `what another model has encoded serves several lanes each, to the bit`(_ way: PairCase) {
    let sources = pairs(4)
    func model(_ pairs: [LanePair]) -> (PairsUnderTest, PairData) {
      (tested(way.configuration, shards: 1, lanesPerShard: pairs.count), data(pairs))
    }
    func decode(_ model: (PairsUnderTest, PairData)) -> [[UInt32]] {
      let logits = model.0.model.decode(model.1.chunk)
      return (0..<logits.rows).map { bits(ModelUnderTest.row($0, of: logits)) }
    }
    let (once, each) = (model(sources), model(sources.flatMap { [$0, $0, $0] }))
    once.0.model.encode(once.1.chunk)
    each.0.model.encode(each.1.chunk)
    let expected = decode(each)
    let other = model(sources.flatMap { [$0, $0, $0] })
    other.0.model.takeEncodings(of: once.0.model, steps: once.1.chunk.source?.steps ?? 0, copies: 3)
    let found = decode(other)
    for (lane, pair) in each.1.pairs.enumerated() where !pair.inputs.isEmpty {
      #expect(found[lane] == expected[lane], "lane \(lane)")
    }
    #expect(Set(expected).count > 2)
  }

  @Test(arguments: PairCase.all, Arithmetic.all)
  func `a step allocates nothing`(_ way: PairCase, _ arithmetic: Arithmetic) {
    var configuration = way.configuration
    (configuration.dropout, configuration.residual) = (0.2, true)
    configuration.fitEmbedding()
    let tested = PairsUnderTest(
      configuration, vocabulary: Self.vocabulary,
      shape: ChunkShape(steps: 11, sourceSteps: 12, shards: 2, lanesPerShard: 3), arithmetic: arithmetic)
    let data = data(pairs(6))
    var sum = 0.0
    func step() {
      tested.model.prepareWeights()
      tested.model.train(data.chunk)
      tested.model.evaluate(data.chunk)
      sum += tested.model.sums[0, LaneSums.loss]
    }
    step()
    let counts = (0..<3).map { _ in countAllocations { step() } }
    // oneDNN's own calls allocate: the same in each step.
    let expected = arithmetic.bfloat16 == .oneDNN ? counts[0] : 0
    #expect(counts.allSatisfy { $0 == expected }, "\(counts)")
    #expect(sum > 0)
  }

  @Test(arguments: PairCase.all.filter { $0.layers == 1 })
  func `what a model will take is known without taking it`(_ way: PairCase) {
    var configuration = way.configuration
    (configuration.hidden, configuration.embedding) = (48, 32)
    configuration.fitEmbedding()
    let layout = Blueprint(configuration, tracks: .pairs(vocabulary: 40)).layout
    func make() -> (ParameterMemory, Model) {
      let memory = ParameterMemory(layout: layout, shards: 2)
      let shape = ChunkShape(steps: 40, sourceSteps: 60, shards: 2, lanesPerShard: 8)
      return (
        memory,
        Model(
          configuration, tracks: .pairs(vocabulary: 40), memory: memory, shape: shape, precision: .float32,
          dropoutSeed: 1)
      )
    }
    let measured = MemoryMeasurement.peakBytes(of: make)
    var made: (ParameterMemory, Model)?
    let allocated = countAllocatedBytes { made = make() }
    #expect(made != nil)
    #expect(measured <= allocated && allocated - measured < 200_000, "\(measured) of \(allocated)")
  }
}
