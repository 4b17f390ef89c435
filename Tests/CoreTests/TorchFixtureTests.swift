import CKernels
import Chunks
import Core
import HDF5
import Testing

/// The core against what `torch.nn` computed; Fixtures/make_fixtures.py says what the files hold.
@Suite struct TorchFixtureTests {
  /// A model of which there is a fixture of that name.
  struct Fixture: Sendable, CustomTestStringConvertible {
    let name: String
    let layer: LayerUnderTest
    var configure: @Sendable (inout ModelConfiguration) -> Void = { _ in }
    var testDescription: String { name }
  }

  static let fixtures =
    LayerUnderTest.all.compactMap { layer in layer.fixture.map { Fixture(name: $0, layer: layer) } }
    + LayerUnderTest.all.filter { ["lstm", "gru"].contains($0.fixture) }.flatMap { layer in
      [
        Fixture(name: "bidirectional_\(layer.testDescription)", layer: layer) { $0.bidirectional = true },
        Fixture(name: "residual_\(layer.testDescription)", layer: layer) {
          ($0.residual, $0.mlp) = (true, 2)
          if layer.fixture == "lstm" { ($0.norm, $0.mlpKind) = (.rms, .gated) }
        },
      ]
    }
    + LayerUnderTest.all.filter { ["lru", "s4d"].contains($0.fixture) }.map { layer in
      Fixture(name: "residual_\(layer.testDescription)", layer: layer) { $0.residual = true }
    }

  /// A fixture, and a model of the core with its weights and initial states.
  private struct Case {
    let file: File
    let tested: ModelUnderTest

    init(_ fixture: Fixture) throws {
      let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)
      file = try File.open("\(folder)Fixtures/\(fixture.name).h5")
      let embedding = try file.dataset("weights/embedding.weight").shape
      let inputs = try file.dataset("inputs").shape
      var configuration = ModelConfiguration()
      fixture.configure(&configuration)
      configuration.embedding = embedding[1]
      configuration.hidden =
        try file.dataset("outputs").shape[2] / (configuration.bidirectional ? 2 : 1)
      tested = ModelUnderTest(
        fixture.layer, configuration, vocabulary: embedding[0],
        shape: ChunkShape(steps: inputs[1], shards: 1, lanesPerShard: inputs[2]))
      for parameter in tested.memory.layout.parameters {
        let weights = try file.dataset("weights/\(parameter.name)")
        try weights.require(shape: parameter.shape)
        tested.set(parameter, to: try weights.readArray())
      }
      tested.model.prepareWeights()
      for state in tested.model.states {
        let values = try file.dataset("initial/\(state.name)").readArray(of: Float.self)
        state.values.base.update(from: values, count: values.count)
      }
    }

    /// What the file holds of `path`.
    func values(_ path: String) throws -> [Double] { try file.dataset(path).readArray() }

    /// The `index`th chunk.
    func chunk(_ index: Int) throws -> ChunkData {
      let shape = tested.model.shape
      let hasResets = try file.exists("resets")
      let steps = hasResets ? try Int(file.dataset("lengths").readArray(of: Int32.self)[index]) : shape.steps
      func read(_ name: String) throws -> [Int32] {
        Array(try file.dataset(name).readArray(rows: index..<index + 1).prefix(steps * shape.lanes))
      }
      return ChunkData(
        lanes: shape.lanes, capacity: shape.steps, inputs: try read("inputs"), targets: try read("targets"),
        resets: hasResets ? try read("resets") : [])
    }
  }

  @Test(arguments: fixtures)
  func `parameters have torch's names and shapes`(_ name: Fixture) throws {
    let fixture = try Case(name)
    let layout = fixture.tested.memory.layout
    #expect(try fixture.file.group("weights").childNames() == layout.parameters.map(\.name).sorted())
    for parameter in layout.parameters {
      #expect(try fixture.file.dataset("weights/\(parameter.name)").shape == parameter.shape)
    }
    #expect(
      try fixture.file.group("initial").childNames() == fixture.tested.model.states.map(\.name).sorted())
  }

  @Test(arguments: fixtures)
  func `outputs, losses, states and gradients are torch's`(_ name: Fixture) throws {
    let fixture = try Case(name)
    let (tested, model) = (fixture.tested, fixture.tested.model)
    let data = try fixture.chunk(0)
    tested.train(data)
    expectAgreement(
      UnsafeBufferPointer(start: model.hidden.base, count: data.steps * data.lanes * model.hidden.columns),
      try fixture.values("outputs"), tolerance: 1e-6, "outputs")
    #expect(abs(model.laneLosses.reduce(0, +) / (try fixture.values("losses")[0]) - 1) < 1e-6)
    for state in model.states {
      expectAgreement(
        UnsafeBufferPointer(start: state.values.base, count: state.values.count),
        try fixture.values("final/\(state.name)"), tolerance: 1e-6, state.name)
    }
    for parameter in tested.memory.layout.parameters {
      expectAgreement(
        tested.values(parameter, in: tested.memory.gradients[0]),
        try fixture.values("gradients/\(parameter.name)"), tolerance: 1e-5, "gradient of \(parameter.name)")
    }
  }

  @Test(arguments: fixtures)
  func `three clipped steps of Adam lead to torch's weights`(_ name: Fixture) throws {
    let fixture = try Case(name)
    let (tested, memory) = (fixture.tested, fixture.tested.memory)
    let attributes = fixture.file.attributes
    let clipNorm = try attributes.number("clip_norm")
    let rate = Float(try attributes.number("learning_rate"))
    let (beta1, beta2) = (try attributes.number("beta1"), try attributes.number("beta2"))
    let epsilon = Float(try attributes.number("epsilon"))
    var first = [Float](repeating: 0, count: memory.layout.count)
    var second = first
    var (power1, power2) = (1.0, 1.0)
    let (losses, norms) = (try fixture.values("losses"), try fixture.values("norms"))
    #expect(norms.contains { $0 > clipNorm })

    for index in losses.indices {
      tested.clearGradients()
      let data = try fixture.chunk(index)
      tested.train(data)
      #expect(abs(tested.model.laneLosses.reduce(0, +) / losses[index] - 1) < 1e-6, "step \(index)")
      let targets = tested.model.laneWeights.reduce(0, +)
      let norm = st_sum_of_squares(memory.layout.count, memory.gradients[0]).squareRoot() / targets
      #expect(abs(norm / norms[index] - 1) < 1e-5, "step \(index)")
      // torch adds this much to the norm that it divides by.
      let clip = min(1, clipNorm / (norm + 1e-6))
      power1 *= beta1
      power2 *= beta2
      st_adam(
        memory.layout.count, memory.weights, memory.gradients[0], &first, &second,
        Float(clip / targets), rate, Float(beta1), Float(beta2), epsilon,
        0, Float(1 - power1), Float(1 - power2))
      tested.model.prepareWeights()
    }
    for parameter in memory.layout.parameters {
      expectAgreement(
        tested.values(parameter, in: memory.weights), try fixture.values("updated/\(parameter.name)"),
        tolerance: 1e-5, parameter.name)
    }
  }
}
