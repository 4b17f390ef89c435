import CKernels
import Testing

@Suite struct ProductTests {
  /// One product with everything that may vary.
  struct Shape: Sendable, CustomTestStringConvertible {
    var m: Int, n: Int, k: Int
    var accumulate = false
    var roundInputs = false
    var testDescription: String {
      "\(m) x \(n) x \(k)" + (accumulate ? ", accumulating" : "") + (roundInputs ? ", rounded" : "")
    }
  }

  static let shapes = [
    Shape(m: 1, n: 1, k: 1), Shape(m: 1, n: 65, k: 33, accumulate: true), Shape(m: 2, n: 48, k: 16),
    Shape(m: 7, n: 47, k: 257, accumulate: true), Shape(m: 8, n: 96, k: 256), Shape(m: 9, n: 49, k: 255),
    Shape(m: 13, n: 17, k: 19, accumulate: true, roundInputs: true), Shape(m: 20, n: 130, k: 65),
    Shape(m: 33, n: 31, k: 300, roundInputs: true), Shape(m: 3, n: 1000, k: 40, accumulate: true),
    Shape(m: 300, n: 35, k: 20), Shape(m: 301, n: 50, k: 20, roundInputs: true), Shape(m: 5, n: 5, k: 0),
    Shape(m: 5, n: 5, k: 0, accumulate: true), Shape(m: 2, n: 1100, k: 530),
    Shape(m: 19, n: 50, k: 1100, accumulate: true), Shape(m: 131, n: 20, k: 1030, roundInputs: true),
  ]

  /// The product of one instruction set at one shape, by each of the ways that compute it.
  struct Case {
    let set: InstructionSet, shape: Shape
    let lda: Int, ldw: Int, ldt: Int, ldc: Int
    let a: [Float], w: [Float], transposed: [Float], c: [Float]
    let scratch: AlignedFloats

    init(_ set: InstructionSet, _ shape: Shape) {
      let (m, n, k) = (shape.m, shape.n, shape.k)
      self.set = set
      self.shape = shape
      (lda, ldw, ldt, ldc) = (k + 3, k + 5, n + 1, n + 2)
      a = numbers(m * lda, seed: 1)
      w = numbers(n * ldw, seed: 2)
      c = numbers(m * ldc, seed: 3)
      var transposed = [Float](repeating: .nan, count: k * ldt)
      for j in 0..<n { for p in 0..<k { transposed[p * ldt + j] = w[j * ldw + p] } }
      self.transposed = transposed
      scratch = AlignedFloats(set.kernels.pointee.product_scratch())
    }

    func forward() -> [Float] {
      var c = c
      set.kernels.pointee.product_forward(
        shape.m, shape.n, shape.k, a, lda, w, ldw, &c, ldc, shape.accumulate, shape.roundInputs, scratch.start
      )
      return c
    }

    func inputGradient() -> [Float] {
      var c = c
      set.kernels.pointee.product_input_gradient(
        shape.m, shape.n, shape.k, a, lda, transposed, ldt, &c, ldc, shape.accumulate, shape.roundInputs,
        scratch.start)
      return c
    }

    func packed(transposed byColumns: Bool) -> AlignedFloats {
      let packed = AlignedFloats(set.kernels.pointee.packed_size(shape.n, shape.k))
      if byColumns {
        set.kernels.pointee.pack_input_gradient(
          shape.n, shape.k, transposed, ldt, shape.roundInputs, packed.start)
      } else {
        set.kernels.pointee.pack_forward(shape.n, shape.k, w, ldw, shape.roundInputs, packed.start)
      }
      return packed
    }

    /// The packed product, `rows` rows of A a call.
    func multiplied(by packed: AlignedFloats, rows: Int) -> [Float] {
      var c = c
      for first in stride(from: 0, to: shape.m, by: rows) {
        a.withUnsafeBufferPointer { a in
          c.withUnsafeMutableBufferPointer { c in
            set.kernels.pointee.product_packed(
              min(rows, shape.m - first), shape.n, shape.k, a.baseAddress.map { $0 + first * lda }, lda,
              packed.start, c.baseAddress.map { $0 + first * ldc }, ldc, shape.accumulate, shape.roundInputs,
              scratch.start)
          }
        }
      }
      return c
    }
  }

  @Test(arguments: InstructionSet.all, shapes)
  func `a product agrees with the sum in double`(_ set: InstructionSet, _ shape: Shape) {
    let product = Case(set, shape)
    let result = product.forward()
    func rounded(_ x: Float) -> Double { Double(shape.roundInputs ? roundedToBFloat16(x) : x) }
    for i in 0..<shape.m {
      for j in 0..<product.ldc {
        let before = Double(product.c[i * product.ldc + j])
        var sum = shape.accumulate || j >= shape.n ? before : 0
        var magnitude = abs(sum)
        for p in 0..<(j < shape.n ? shape.k : 0) {
          let term = rounded(product.a[i * product.lda + p]) * rounded(product.w[j * product.ldw + p])
          sum += term
          magnitude += abs(term)
        }
        #expect(abs(Double(result[i * product.ldc + j]) - sum) <= 3e-7 * magnitude, "element \(i), \(j)")
      }
    }
  }

  @Test(arguments: InstructionSet.all, shapes)
  func `every way to a product gives the same bits`(_ set: InstructionSet, _ shape: Shape) {
    let product = Case(set, shape)
    let expected = bits(product.forward())
    #expect(bits(product.inputGradient()) == expected)
    for byColumns in [false, true] {
      let packed = product.packed(transposed: byColumns)
      for rows in [1, 2, 3, 5, 8, 11, shape.m] {
        #expect(bits(product.multiplied(by: packed, rows: rows)) == expected, "\(rows) rows a call")
      }
    }
  }

  @Test(arguments: InstructionSet.all)
  func `a column's bits do not depend on the other columns`(_ set: InstructionSet) {
    let whole = Case(set, Shape(m: 10, n: 101, k: 270))
    let expected = whole.forward()
    for n in [1, 15, 16, 17, 31, 33, 47, 48, 49, 64, 100] {
      var part = Case(set, Shape(m: 10, n: n, k: 270)).c
      set.kernels.pointee.product_forward(
        10, n, 270, whole.a, whole.lda, whole.w, whole.ldw, &part, n + 2, false, false, whole.scratch.start)
      for i in 0..<10 {
        let row = part[i * (n + 2)..<i * (n + 2) + n]
        #expect(bits(row) == bits(expected[i * 103..<i * 103 + n]), "\(n) columns")
      }
    }
  }

  /// A weight gradient over some lanes of a time-major array.
  struct Rows: Sendable, CustomTestStringConvertible {
    var m: Int, n: Int, rows: Int, lanes: Int, stride: Int
    var roundInputs = false
    var testDescription: String { "\(m) x \(n) over \(rows) rows, \(lanes) of \(stride) lanes" }

    func place(_ r: Int) -> Int { r / lanes * stride + r % lanes }
    var total: Int { (rows + lanes - 1) / lanes * stride }
  }

  static let gradients = [
    Rows(m: 1, n: 1, rows: 1, lanes: 1, stride: 1), Rows(m: 33, n: 65, rows: 40, lanes: 4, stride: 4),
    Rows(m: 17, n: 50, rows: 70, lanes: 3, stride: 8), Rows(m: 8, n: 48, rows: 520, lanes: 2, stride: 2),
    Rows(m: 250, n: 20, rows: 30, lanes: 5, stride: 6, roundInputs: true),
    Rows(m: 5, n: 1000, rows: 12, lanes: 1, stride: 3),
  ]

  @Test(arguments: InstructionSet.all, gradients)
  func `a weight gradient is the product over the named rows`(_ set: InstructionSet, _ shape: Rows) {
    let (lda, ldb, ldc) = (shape.m + 2, shape.n + 3, shape.n + 1)
    let a = numbers(shape.total * lda, seed: 4), b = numbers(shape.total * ldb, seed: 5)
    let before = numbers(shape.m * ldc, seed: 6)
    let scratch = AlignedFloats(set.kernels.pointee.product_scratch())
    var c = before
    set.kernels.pointee.product_weight_gradient(
      shape.m, shape.n, shape.rows, shape.lanes, shape.stride, a, lda, b, ldb, &c, ldc, shape.roundInputs,
      scratch.start)

    // Forward products of the transposed inputs, 512 rows at a time, have the same bits.
    var transposedA = [Float](), transposedB = [Float]()
    for i in 0..<shape.m { for r in 0..<shape.rows { transposedA.append(a[shape.place(r) * lda + i]) } }
    for j in 0..<shape.n { for r in 0..<shape.rows { transposedB.append(b[shape.place(r) * ldb + j]) } }
    var expected = before
    for first in stride(from: 0, to: shape.rows, by: 512) {
      set.kernels.pointee.product_forward(
        shape.m, shape.n, min(512, shape.rows - first), Array(transposedA[first...]), shape.rows,
        Array(transposedB[first...]), shape.rows, &expected, ldc, true, shape.roundInputs, scratch.start)
    }
    let places = c.indices.filter { c[$0].bitPattern != expected[$0].bitPattern }
    #expect(places.isEmpty)
  }

  @Test(arguments: InstructionSet.all)
  func `a NaN in a row reaches that row only, and its whole`(_ set: InstructionSet) {
    let product = Case(set, Shape(m: 9, n: 50, k: 20))
    var a = product.a
    a[4 * product.lda + 7] = .nan
    var c = product.c
    set.kernels.pointee.product_forward(
      9, 50, 20, a, product.lda, product.w, product.ldw, &c, product.ldc, false, true, product.scratch.start)
    for i in 0..<9 { for j in 0..<50 { #expect(c[i * product.ldc + j].isNaN == (i == 4)) } }
  }

  @Test func `the best set that this machine has is in use`() {
    let wanted = InstructionSet.all.last?.name
    #expect(String(cString: st_instruction_set()) == wanted)
    #expect(st_measure_peak() > 1e9)
  }
}
