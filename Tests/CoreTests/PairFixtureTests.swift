import Chunks
import Core
import HDF5
import Testing

/// Encoder-decoders against what PyTorch computed; Fixtures/make_pair_fixtures.py and make_transformer_fixtures.py say what the
/// files hold.
@Suite struct PairFixtureTests {
  /// The fixtures of each file.
  static let names = [
    "pairs.h5": ["dot", "scaled", "general", "additive", "cosine"].flatMap { score in
      ["after", "before"].map { "gru_\(score)_\($0)_bidirectional" }
    } + ["lstm_dot_after_forward", "lstm_general_before_bidirectional", "gru_additive_after_forward"],
    "transformers.h5": ["norm_first", "norm_last"],
  ]

  private static func open(_ name: String) throws -> File {
    let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)
    return try File.open("\(folder)Fixtures/\(name)")
  }

  /// The model of a fixture of that file.
  private func configuration(of name: String, _ file: File, isTransformer: Bool) throws -> ModelConfiguration
  {
    let attributes = try file.group(name).attributes
    var configuration = ModelConfiguration()
    configuration.embedding = try file.dataset("\(name)/weights/source.weight").shape[1]
    guard !isTransformer else {
      (configuration.cell, configuration.bidirectional, configuration.hidden) = (
        "attention", true, configuration.embedding
      )
      configuration.layers = Int(try attributes.number("layers"))
      configuration[AttentionOptions.self].heads = Int(try attributes.number("heads"))
      configuration[AttentionOptions.self].positions = .sinusoidal
      (configuration.residual, configuration.mlp) = (true, 2)
      configuration.normFirst = try attributes.number("norm_first") == 1
      return configuration
    }
    configuration.hidden = try file.dataset("\(name)/weights/encoder.rnn.weight_hh_l0").shape[1]
    configuration.layers = 1
    configuration.bidirectional = try attributes.number("bidirectional") == 1
    configuration.cell = try attributes.string("cell") == "lstm" ? "lstm" : "gru"
    configuration.sourceAttention.score = try #require(
      AttentionScoreKind(rawValue: try attributes.string("score")))
    configuration.sourceAttention.attend = try #require(
      AttentionMoment(rawValue: try attributes.string("attend")))
    return configuration
  }

  @Test(arguments: names)
  func `every fixture is compared with`(_ name: String, _ fixtures: [String]) throws {
    #expect(try Self.open(name).childNames() == fixtures.sorted())
  }

  @Test(arguments: names.flatMap { file, names in names.map { (file, $0) } })
  func `losses and gradients are PyTorch's, and parameters have its names and shapes`(
    _ fileName: String, _ name: String
  ) throws {
    let file = try Self.open(fileName)
    let configuration = try configuration(of: name, file, isTransformer: fileName == "transformers.h5")
    let vocabulary = try file.dataset("\(name)/weights/source.weight").shape[0]
    let pairs = try pairs(of: file, name)
    let data = PairData(pairs, vocabulary: vocabulary, capacity: (9, 9))
    let tested = PairsUnderTest(
      configuration, vocabulary: vocabulary,
      shape: ChunkShape(steps: 9, sourceSteps: 9, shards: 1, lanesPerShard: pairs.count))
    let parameters = tested.memory.layout.parameters
    #expect(try file.group("\(name)/weights").childNames() == parameters.map(\.name).sorted())
    for parameter in parameters {
      let weights = try file.dataset("\(name)/weights/\(parameter.name)")
      try weights.require(shape: parameter.shape)
      let values: [Float] = try weights.readArray()
      (tested.memory.weights + parameter.offset).update(from: values, count: values.count)
    }
    tested.model.prepareWeights()
    tested.model.train(data.chunk)

    let losses: [Double] = try file.dataset("\(name)/losses").readArray()
    expectAgreement(
      tested.model.losses.prefix(losses.count).map(Float.init), losses, tolerance: 1e-6, "losses")
    for parameter in parameters {
      expectAgreement(
        tested.values(parameter, in: tested.memory.gradients[0]),
        try file.dataset("\(name)/gradients/\(parameter.name)").readArray(of: Double.self), tolerance: 1e-5,
        "gradient of \(parameter.name)")
    }
  }

  private func pairs(of file: File, _ name: String) throws -> [LanePair] {
    func read(_ path: String) throws -> [Int] {
      try file.dataset("\(name)/\(path)").readArray(of: Int32.self).map(Int.init)
    }
    let (source, inputs, targets) = (try read("source"), try read("inputs"), try read("targets"))
    let lengths = zip(try read("source_lengths"), try read("target_lengths"))
    let lanes = try read("source_lengths").count
    return lengths.enumerated().map { lane, length in
      func column(_ values: [Int], _ count: Int) -> [Int] { (0..<count).map { values[$0 * lanes + lane] } }
      return LanePair(
        source: column(source, length.0), inputs: column(inputs, length.1), targets: column(targets, length.1)
      )
    }
  }
}
