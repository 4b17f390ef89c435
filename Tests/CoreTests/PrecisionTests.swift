import Core
import Testing

/// Products with inputs rounded to bfloat16, everything else in float32.
@Suite struct PrecisionTests {
  @Test(arguments: CellUnderTest.all, [1, 2])
  func `bfloat16 is near float32, and leaves the weights alone`(_ cell: CellUnderTest, layers: Int) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (24, 16, layers)
    let shape = ChunkShape(steps: 12, shards: 1, lanesPerShard: 4)
    let data = ChunkData(steps: 12, lanes: 4, vocabulary: 30)
    func trained(_ precision: Precision) -> ModelUnderTest {
      let tested = ModelUnderTest(
        cell, configuration, vocabulary: 30, shape: shape, precision: precision)
      tested.train(data)
      return tested
    }
    let fresh = ModelUnderTest(cell, configuration, vocabulary: 30, shape: shape)
    let (exact, rounded) = (trained(.float32), trained(.bfloat16))

    #expect(bits(rounded.vector(rounded.memory.weights)) == bits(fresh.vector(fresh.memory.weights)))
    for parameter in exact.memory.layout.parameters {
      let (g, r) = (
        exact.values(parameter, in: exact.memory.gradients[0]),
        rounded.values(parameter, in: rounded.memory.gradients[0])
      )
      let difference = zip(g, r).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
      let norm = g.reduce(0) { $0 + $1 * $1 }.squareRoot()
      // Near its corner, rounding turns relu's gradient on and off.
      let tolerance: Float = cell.activation == .relu ? 0.15 : 0.02
      #expect(difference < tolerance * norm, "\(parameter.name): off by \(difference / norm)")
      #expect(difference > 1e-5 * norm, "\(parameter.name) is not rounded")
    }
    let losses = zip(exact.model.losses.positions, rounded.model.losses.positions)
    #expect(losses.allSatisfy { abs($0 - $1) < 0.03 * max(1, $0) })
  }
}
