import CKernels
import Chunks
import Core
import TestSupport
import Testing

/// A model that has everything that could allocate.
@Suite struct AllocationTests {
  @Test(arguments: LayerUnderTest.all, Arithmetic.all)
  func `a step allocates nothing`(_ cell: LayerUnderTest, _ arithmetic: Arithmetic) {
    for (norm, kind) in [(Norm.layer, PerceptronKind.gelu), (.rms, .gated)] {
      expectNoAllocation(cell, arithmetic, norm, kind)
    }
  }

  private func expectNoAllocation(
    _ cell: LayerUnderTest, _ arithmetic: Arithmetic, _ norm: Norm, _ kind: PerceptronKind
  ) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (12, 9, 3)
    (configuration.dropout, configuration.initialState) = (0.2, .learnt)
    (configuration.residual, configuration.embedding, configuration.mlp) = (true, 12, 2)
    (configuration.norm, configuration.mlpKind, configuration.outputLayers) = (norm, kind, 1)
    configuration.transitionLayers = 1
    (configuration.variationalDropout.input, configuration.variationalDropout.recurrent) = (0.1, 0.1)
    let shape = ChunkShape(steps: 6, shards: 2, lanesPerShard: 3)
    let tested = ModelUnderTest(
      cell, configuration, vocabulary: 20, conditions: 3, shape: shape, arithmetic: arithmetic)
    let data = ChunkData(
      steps: 6, lanes: 6, vocabulary: 20, conditions: 3, isReset: { t, lane in t == 0 || t == 4 && lane > 2 })
    var sum = 0.0
    var pieces = 0
    func step(_ number: UInt32) {
      tested.model.prepareWeights()
      tested.train(data, number) { _ in pieces += 1 }
      tested.evaluate(data, number)
      sum += tested.model.sums[0, LaneSums.loss]
    }
    step(0)
    let counts = (1..<5).map { number in countAllocations { step(UInt32(number)) } }
    // oneDNN's own calls allocate: the same in each step.
    let expected = arithmetic.bfloat16 == .oneDNN ? counts[0] : 0
    #expect(counts.allSatisfy { $0 == expected }, "\(counts)")
    #expect(sum > 0 && pieces > 0)
  }

  /// Of three shapes: wide, long, and of a large vocabulary.
  @Test(
    arguments: LayerUnderTest.all, [(96, 2, 8, 30, 40), (16, 3, 24, 200, 20), (32, 1, 4, 20, 5000)])
  func `what a model will take is known without taking it`(
    _ cell: LayerUnderTest, _ size: (hidden: Int, layers: Int, lanes: Int, steps: Int, vocabulary: Int)
  ) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.layers, configuration.layerNorm) = (size.hidden, size.layers, true)
    cell.configure(&configuration)
    let layout = CoreTests.layout(configuration, vocabulary: size.vocabulary)
    func make() -> (ParameterMemory, Model) {
      let memory = ParameterMemory(layout: layout, shards: 2)
      let shape = ChunkShape(steps: size.steps, shards: 2, lanesPerShard: size.lanes / 2)
      return (
        memory,
        Model(
          configuration, tracks: .language(vocabulary: size.vocabulary), memory: memory, shape: shape,
          precision: .float32, dropoutSeed: 1)
      )
    }
    var measured = 0
    let taken = countAllocatedBytes { measured = MemoryMeasurement.peakBytes(of: make) }
    var made: (ParameterMemory, Model)?
    let allocated = countAllocatedBytes { made = make() }
    #expect(made != nil)
    #expect(taken < 200_000, "objects, but not their memory")
    #expect(measured <= allocated && allocated - measured < 200_000, "\(measured) of \(allocated)")
    #expect(allocated > 1_000_000)
  }

  @Test func `a measurement counts what stands at a time, and none beyond all integers`() {
    let peak = MemoryMeasurement.peakBytes {
      for _ in 0..<3 { _ = Buffer<Float>(count: 1000) }
      return Buffer<Double>(count: 10)
    }
    #expect(peak == 4000)
    #expect(
      MemoryMeasurement.peakBytes { [Buffer<Float>(count: .max / 2), Buffer<Float>(count: 8)] } == .max)
    let outer = MemoryMeasurement.peakBytes {
      MemoryMeasurement.uncounted { Buffer<Float>(count: 1000) }
    }
    #expect(outer == 0)
  }

  @Test func `every kind of allocation is counted`() {
    var kept: [AnyObject] = []
    kept.reserveCapacity(4)
    #expect(countAllocations { kept.append(Buffer<Float>(count: 100)) } == 2, "an object and its memory")
    var numbers: [Int] = []
    #expect(countAllocations { for i in 0..<1000 { numbers.append(i) } } > 5, "an array that grows")
    var text = ""
    #expect(countAllocations { text = "a string too long to stand in itself \(kept.count)" } > 0)
    #expect(countAllocations { _ = text.utf8.count + numbers.count } == 0)
  }
}
