import CKernels
import Chunks
import Core
import Testing

/// Products with inputs rounded to bfloat16, everything else in float32.
@Suite struct PrecisionTests {
  @Test(arguments: LayerUnderTest.all, Arithmetic.bfloat16)
  func `bfloat16 is near float32, and leaves the weights alone`(
    _ cell: LayerUnderTest, _ bfloat16: Arithmetic
  ) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (24, 16, 2)
    let shape = ChunkShape(steps: 12, shards: 1, lanesPerShard: 4)
    let data = ChunkData(steps: 12, lanes: 4, vocabulary: 30)
    func trained(_ arithmetic: Arithmetic) -> ModelUnderTest {
      let tested = ModelUnderTest(
        cell, configuration, vocabulary: 30, shape: shape, arithmetic: arithmetic)
      tested.train(data)
      return tested
    }
    let fresh = ModelUnderTest(cell, configuration, vocabulary: 30, shape: shape)
    let (exact, rounded) = (trained(.float32), trained(bfloat16))

    #expect(bits(rounded.vector(rounded.memory.weights)) == bits(fresh.vector(fresh.memory.weights)))
    for parameter in exact.memory.layout.parameters {
      let (g, r) = (
        exact.values(parameter, in: exact.memory.gradients[0]),
        rounded.values(parameter, in: rounded.memory.gradients[0])
      )
      let difference = zip(g, r).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
      let norm = g.reduce(0) { $0 + $1 * $1 }.squareRoot()
      // Near their corners, rounding turns the gradients of relu and of positive candidates on and off.
      let tolerance: Float = cell.hasCorner ? 0.15 : 0.02
      #expect(difference < tolerance * norm, "\(parameter.name): off by \(difference / norm)")
      #expect(difference > 1e-8 * norm, "\(parameter.name) is not rounded")
    }
    let losses = zip(exact.model.losses, rounded.model.losses)
    #expect(losses.allSatisfy { abs($0 - $1) < 0.03 * max(1, $0) })
  }

  @Test(arguments: Arithmetic.bfloat16)
  func `a model learns a sequence by heart`(_ arithmetic: Arithmetic) {
    let (steps, lanes, vocabulary) = (12, 4, 11)
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (24, 9, 2)
    let tested = ModelUnderTest(
      LayerUnderTest.all[2], configuration, vocabulary: vocabulary,
      shape: ChunkShape(steps: steps, shards: 2, lanesPerShard: lanes / 2), arithmetic: arithmetic)
    let tokens = (0...steps).map { t in (0..<lanes).map { Int32((t * 3 + $0) % vocabulary) } }
    let data = ChunkData(
      lanes: lanes, inputs: tokens.dropLast().flatMap { $0 }, targets: tokens.dropFirst().flatMap { $0 })
    func loss() -> Double { tested.model.laneLosses.reduce(0, +) / Double(steps * lanes) }
    var first = 0.0
    for step in 0..<200 {
      tested.clearGradients()
      tested.train(data, UInt32(step))
      if step == 0 { first = loss() }
      for i in 0..<tested.memory.layout.count {
        tested.memory.weights[i] -= 0.02 * tested.memory.gradients.reduce(0) { $0 + $1[i] }
      }
      tested.model.prepareWeights()
    }
    #expect(first > 1.5)
    #expect(loss() < 0.2)
  }

  @Test(arguments: Arithmetic.bfloat16)
  func `tokens of an earlier chunk leave no trace`(_ arithmetic: Arithmetic) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding) = (24, 9)
    let later = ChunkData(steps: 4, lanes: 4, vocabulary: 5, seed: 2)
    func gradients(after earlier: ChunkData?) -> [[UInt32]] {
      let tested = ModelUnderTest(
        LayerUnderTest.all[2], configuration, vocabulary: 90,
        shape: ChunkShape(steps: 4, shards: 2, lanesPerShard: 2), arithmetic: arithmetic)
      if let earlier { tested.train(earlier) }
      tested.model.clearStates()
      tested.clearGradients()
      tested.train(later, 1)
      return tested.memory.gradients.map { bits(tested.vector($0)) }
    }
    #expect(gradients(after: ChunkData(steps: 4, lanes: 4, vocabulary: 90)) == gradients(after: nil))
  }

  @Test func `only bfloat16 is ever emulated, and that is said`() {
    #expect(!Precision.float32.isEmulated)
    #expect(Precision.float32.emulationNote == nil)
    // The library is there where this is built.
    #expect(Precision.bfloat16.isEmulated != st_has_bfloat16())
    #expect((Precision.bfloat16.emulationNote != nil) == Precision.bfloat16.isEmulated)
  }

  @Test(arguments: Precision.allCases)
  func `a core has a peak`(_ precision: Precision) {
    let rate = precision.measurePeakRate()
    #expect(rate > 1e8 && rate.isFinite)
  }
}
