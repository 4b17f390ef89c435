import CKernels
import Core
import TestSupport
import Testing

/// A model that has everything that could allocate.
@Suite struct AllocationTests {
  @Test(arguments: CellUnderTest.all, Arithmetic.all)
  func `a step allocates nothing`(_ cell: CellUnderTest, _ arithmetic: Arithmetic) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (12, 9, 3)
    (configuration.layerNorm, configuration.dropout, configuration.initialState) = (true, 0.2, .learnt)
    let shape = ChunkShape(steps: 6, shards: 2, lanesPerShard: 3)
    let tested = ModelUnderTest(cell, configuration, vocabulary: 20, shape: shape, arithmetic: arithmetic)
    let data = ChunkData(
      steps: 6, lanes: 6, vocabulary: 20, isReset: { t, lane in t == 0 || t == 4 && lane > 2 })
    var sum = 0.0
    var pieces = 0
    func step(_ number: UInt32) {
      tested.model.prepareWeights()
      tested.train(data, number) { pieces += $0 }
      tested.evaluate(data, number)
      sum += tested.model.losses.lanes[0]
    }
    step(0)
    let counts = (1..<5).map { number in countAllocations { step(UInt32(number)) } }
    // oneDNN's own calls allocate: the same in each step.
    let expected = arithmetic.bfloat16 == .oneDNN ? counts[0] : 0
    #expect(counts.allSatisfy { $0 == expected }, "\(counts)")
    #expect(sum > 0 && pieces > 0)
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
