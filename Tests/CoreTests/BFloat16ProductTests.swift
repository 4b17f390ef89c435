import CKernels
import Chunks
import Core
import Glibc
import Testing

/// The products of `MatrixProducts` with bfloat16 inputs against sums in Double of the rounded factors.
@Suite struct BFloat16ProductTests {
  /// A product over some time steps of all lanes.
  struct Case: Sendable, CustomTestStringConvertible {
    var steps = 1, shards = 1, lanesPerShard = 1
    var outputs: Int, inputs: Int
    var accumulate = false
    var shape: ChunkShape { ChunkShape(steps: steps, shards: shards, lanesPerShard: lanesPerShard) }
    var testDescription: String {
      "\(steps) steps of \(shards) x \(lanesPerShard) lanes, \(inputs) to \(outputs)"
        + (accumulate ? ", accumulating" : "")
    }
  }

  static let cases = [
    Case(outputs: 1, inputs: 1), Case(outputs: 65, inputs: 650, accumulate: true),
    Case(steps: 3, lanesPerShard: 5, outputs: 17, inputs: 33),
    Case(steps: 4, shards: 3, lanesPerShard: 2, outputs: 65, inputs: 64, accumulate: true),
    Case(steps: 5, shards: 2, lanesPerShard: 7, outputs: 96, inputs: 650),
    Case(steps: 2, shards: 4, outputs: 130, inputs: 129, accumulate: true),
  ]

  /// A matrix of random numbers, with `gap` columns more than it shows.
  private final class Numbers {
    let matrix: Matrix
    private let buffer: Buffer<Float>

    init(_ rows: Int, _ columns: Int, gap: Int = 0, seed: UInt64) {
      buffer = Buffer(count: rows * (columns + gap))
      for (i, value) in numbers(buffer.count, seed: seed).enumerated() { buffer.base[i] = value }
      matrix = Matrix(buffer.base, rows: rows, columns: columns, stride: columns + gap)
    }

    /// The elements as they are now, [row][column].
    var values: [[Float]] { (0..<matrix.rows).map { ModelUnderTest.row($0, of: matrix) } }
    /// The same rounded to bfloat16.
    var rounded: [[Double]] { values.map { $0.map { Double(roundedToBFloat16($0)) } } }
  }

  private static func transposed(_ a: [[Double]]) -> [[Double]] {
    (a.first ?? []).indices.map { j in a.map { $0[j] } }
  }

  /// Runs `product` on y [rows, columns] with and without a gap, and expects y = x w^T, or y += that, to the rounding of
  /// sums in float32.
  private static func expect(
    _ name: String, _ x: [[Double]], _ w: [[Double]], accumulate: Bool, gaps: [Int] = [0, 2],
    product: (Matrix) -> Void
  ) {
    for gap in gaps {
      let y = Numbers(x.count, w.count, gap: gap, seed: 9)
      let before = y.values
      product(y.matrix)
      let result = y.values
      var wrong = 0
      for i in x.indices {
        for j in w.indices {
          var sum = accumulate ? Double(before[i][j]) : 0
          var magnitude = abs(sum)
          for k in x[i].indices {
            sum += x[i][k] * w[j][k]
            magnitude += abs(x[i][k] * w[j][k])
          }
          if !(abs(Double(result[i][j]) - sum) <= 5e-7 * magnitude) { wrong += 1 }
        }
      }
      #expect(wrong == 0, "\(name), a gap of \(gap) columns")
    }
  }

  @Test(arguments: Arithmetic.bfloat16, cases)
  func `products agree with sums in double`(_ arithmetic: Arithmetic, _ way: Case) {
    let products = MatrixProducts(
      precision: .bfloat16, bfloat16: arithmetic.bfloat16, shape: way.shape, meter: StepMeter())
    let rows = way.shape.rows
    let x = Numbers(rows, way.inputs, gap: 3, seed: 1), w = Numbers(way.outputs, way.inputs, seed: 2)
    let dy = Numbers(rows, way.outputs, gap: 1, seed: 3)
    for accumulate in [way.accumulate, !way.accumulate] {
      Self.expect("forward", x.rounded, w.rounded, accumulate: accumulate) {
        products.forward(x.matrix, w.matrix, into: $0, accumulate: accumulate)
      }
      Self.expect("input gradient", dy.rounded, Self.transposed(w.rounded), accumulate: accumulate) {
        products.inputGradient(dy.matrix, w.matrix, into: $0, accumulate: accumulate)
      }
    }
    for shard in 0..<way.shards {
      let rows = way.shape.shardRows(shard)
      func own(_ all: [[Double]]) -> [[Double]] { (0..<rows.count).map { all[rows.row($0)] } }
      Self.expect(
        "weight gradient of shard \(shard)", Self.transposed(own(dy.rounded)),
        Self.transposed(own(x.rounded)), accumulate: true, gaps: [0]
      ) {
        products.weightGradient(dy.matrix, x.matrix, rows: rows, into: $0)
      }
    }
  }

  @Test(arguments: Arithmetic.bfloat16, cases)
  func `packed weights are used for every step`(_ arithmetic: Arithmetic, _ way: Case) {
    let products = MatrixProducts(
      precision: .bfloat16, bfloat16: arithmetic.bfloat16, shape: way.shape, meter: StepMeter())
    let (rows, lanes) = (way.shape.rows, way.shape.lanes)
    let x = Numbers(rows, way.inputs, gap: 3, seed: 1), w = Numbers(way.outputs, way.inputs, seed: 2)
    let transposed = Numbers(way.inputs, way.outputs, seed: 4)
    let packed = products.makePacked(
      outputs: way.outputs, inputs: way.inputs, accumulate: way.accumulate)
    func multiply(into y: Matrix) {
      for t in 0..<way.steps {
        products.multiply(x.matrix.step(t, of: lanes), packed, into: y.step(t, of: lanes))
      }
    }
    products.packForward(w.matrix, into: packed)
    Self.expect("forward", x.rounded, w.rounded, accumulate: way.accumulate, product: multiply)
    products.packInputGradient(transposed.matrix, into: packed)
    Self.expect(
      "input gradient", x.rounded, Self.transposed(transposed.rounded), accumulate: way.accumulate,
      product: multiply)
  }

  @Test(arguments: Arithmetic.bfloat16)
  func `products of one shard after another have as many rows of each`(_ arithmetic: Arithmetic) {
    let products = MatrixProducts(
      precision: .bfloat16, bfloat16: arithmetic.bfloat16,
      shape: ChunkShape(steps: 4, shards: 2, lanesPerShard: 3), meter: StepMeter())
    let x = Numbers(14, 21, seed: 1), w = Numbers(10, 21, seed: 2), dy = Numbers(14, 10, seed: 3)
    Self.expect("forward", x.rounded, w.rounded, accumulate: true) {
      products.forward(x.matrix, w.matrix, into: $0, accumulate: true, rows: .byShard)
    }
    Self.expect("input gradient", dy.rounded, Self.transposed(w.rounded), accumulate: false) {
      products.inputGradient(dy.matrix, w.matrix, into: $0, rows: .byShard)
    }
  }

  @Test(arguments: Arithmetic.bfloat16.filter { $0.bfloat16 == .oneDNN })
  func `oneDNN computes in one thread, whatever OpenMP was told`(_ arithmetic: Arithmetic) throws {
    let openMP = try #require(dlopen("libgomp.so.1", RTLD_NOW))
    let setThreads = unsafeBitCast(
      try #require(dlsym(openMP, "omp_set_num_threads")), to: (@convention(c) (CInt) -> Void).self)
    let threads = unsafeBitCast(
      try #require(dlsym(openMP, "omp_get_max_threads")), to: (@convention(c) () -> CInt).self)
    setThreads(3)
    let products = MatrixProducts(
      precision: .bfloat16, bfloat16: .oneDNN, shape: ChunkShape(steps: 1, shards: 1, lanesPerShard: 1),
      meter: StepMeter())
    _ = products.makePacked(outputs: 1, inputs: 1, accumulate: false)
    #expect(threads() == 1)
  }

  @Test(arguments: InstructionSet.all)
  func `rows are gathered in bfloat16`(_ set: InstructionSet) {
    let (n, lanes, stride, steps, gap) = (37, 2, 5, 3, 4)
    var x = numbers(steps * stride * (n + gap), seed: 1)
    x[2] = .infinity
    x[3] = Float(bitPattern: 0x7F80_0001)  // a NaN by its lowest bit alone
    x[4] = Float(bitPattern: 0x3F80_8000)  // half way between two, down to the even one
    x[5] = Float(bitPattern: 0x3F81_8000)  // half way between two, up to the even one
    x[6] = .greatestFiniteMagnitude  // nearest to infinity
    var out = [UInt16](repeating: 7, count: steps * lanes * n + 1)
    set.kernels.pointee.round_rows(n, steps * lanes, lanes, stride, x, n + gap, &out)
    for r in 0..<steps * lanes {
      for j in 0..<n {
        let from = x[(r / lanes * stride + r % lanes) * (n + gap) + j]
        let value = Float(bitPattern: UInt32(out[r * n + j]) << 16)
        #expect(from.isNaN ? value.isNaN : value == roundedToBFloat16(from), "row \(r), column \(j)")
      }
    }
    #expect(out.last == 7)
    #expect(Float(bitPattern: UInt32(out[4]) << 16) == 1)
  }
}
