import CKernels
import Chunks
import Preconditions

/// Makes random orthogonal matrices: Q of the QR factorisation of a matrix of normal numbers, R's diagonal positive.
/// They are uniformly distributed (Haar).
///
/// Nothing is factorised: what a Householder reflection leaves of the columns that follow is normal again, so the
/// vectors of the reflections can be drawn one by one (Stewart 1980, "The efficient generation of random orthogonal
/// matrices with an application to condition estimators"). Their product is computed by matrix products, a block of
/// reflections at a time in compact WY form (Schreiber & Van Loan 1989), with the triangular factor of Joffrain et
/// al. 2006, "Accumulating Householder transformations, revisited". The bits depend on the shape and the numbers only.
final class OrthogonalMatrices {
  /// The reflections of a block.
  private static let blockSize = 128
  /// The rows that a block is applied to at a time, so that they stay in the cache.
  private static let panelRows = 128

  private let scratch = Buffer<Float>(count: st_product_scratch())
  private let coefficients = Buffer<Float>(count: 2 * panelRows * blockSize)
  private let gram = Buffer<Float>(count: blockSize * blockSize)
  private let inverse = Buffer<Double>(count: blockSize * blockSize)
  private let factor = Buffer<Float>(count: blockSize * blockSize)
  // Each grows to what the largest matrix needs.
  private var vectors = Buffer<Float>(count: 0)
  private var packedForward = Buffer<Float>(count: 0)
  private var packedBackward = Buffer<Float>(count: 0)

  /// Fills the rows of `q`, no more than its columns, with orthonormal vectors. `draw` writes the normal numbers of the
  /// reflection of a number: as many as it is told.
  ///
  /// Ends early, with `q` unfinished, when `shouldStop` says so.
  func fill(
    _ q: Matrix, shouldStop: () -> Bool,
    draw: (_ reflection: Int, _ count: Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    precondition(q.rows <= q.columns, "there are no more orthonormal rows than columns")
    reserve(&vectors, Self.blockSize * q.columns)
    reserve(&packedForward, st_packed_size(Self.blockSize, q.columns))
    reserve(&packedBackward, st_packed_size(q.columns, Self.blockSize))
    for row in 0..<q.rows { q[row].update(repeating: 0, count: q.columns) }
    // Row i of Q is e_i H_m ... H_1, which reflections before the i-th alone change: the last block comes first.
    for first in stride(from: 0, to: q.rows, by: Self.blockSize).reversed() where !shouldStop() {
      let size = min(Self.blockSize, q.rows - first)
      let v = vectors.matrix(rows: size, columns: q.columns - first)
      for i in 0..<size {
        v[i].update(repeating: 0, count: i)
        draw(first + i, v.columns - i, v[i] + i)
        q[first + i][first + i] = Self.makeReflection(v[i] + i, count: v.columns - i)
      }
      apply(v, to: q.rows(first..<q.rows).columns(first..<q.columns))
    }
  }

  /// Turns x into the v of length sqrt(2) for which x (I - v^T v) has its first element alone, and returns that
  /// element's sign.
  private static func makeReflection(_ x: UnsafeMutablePointer<Float>, count: Int) -> Float {
    let norm = st_sum_of_squares(count, x).squareRoot()
    let first = Double(x[0])
    let scale = 1 / (norm * (norm + first.magnitude)).squareRoot()
    for i in 0..<count { x[i] = Float(Double(x[i]) * scale) }
    x[0] = Float((first + (first < 0 ? -norm : norm)) * scale)
    return first < 0 ? 1 : -1
  }

  /// q <- q H_b ... H_1, where row i of v belongs to H_i = I - v_i^T v_i.
  ///
  /// The product is I - V^T U^-T V, U the upper triangle of V V^T with ones on the diagonal.
  private func apply(_ v: Matrix, to q: Matrix) {
    let size = v.rows
    st_product_forward(
      size, size, v.columns, v.base, v.stride, v.base, v.stride, gram.base, size, false, false, scratch.base)
    invertTriangle(size)
    st_pack_forward(size, v.columns, v.base, v.stride, false, packedForward.base)
    st_pack_input_gradient(v.columns, size, v.base, v.stride, false, packedBackward.base)
    let products = coefficients.base
    let solved = products + Self.panelRows * Self.blockSize
    for start in stride(from: 0, to: q.rows, by: Self.panelRows) {
      let panel = q.rows(start..<min(start + Self.panelRows, q.rows))
      st_product_packed(
        panel.rows, size, v.columns, panel.base, panel.stride, packedForward.base, products, size, false,
        false,
        scratch.base)
      st_product_forward(
        panel.rows, size, size, products, size, factor.base, size, solved, size, false, false, scratch.base)
      st_product_packed(
        panel.rows, v.columns, size, solved, size, packedBackward.base, panel.base, panel.stride, true, false,
        scratch.base)
    }
  }

  /// `factor` = -U^-1, from U in the upper triangle of `gram`, whose diagonal counts as ones. Row by row from below:
  /// row i of the inverse is e_i less U[i, j] times row j of it, for all j > i.
  private func invertTriangle(_ size: Int) {
    for i in (0..<size).reversed() {
      let row = inverse.base + i * size
      row.update(repeating: 0, count: size)
      row[i] = 1
      for j in i + 1..<max(size, i + 1) {
        let other = inverse.base + j * size
        let scale = Double(gram.base[i * size + j])
        for k in j..<size { row[k] -= scale * other[k] }
      }
      for k in 0..<size { factor.base[i * size + k] = Float(-row[k]) }
    }
  }

  private func reserve(_ buffer: inout Buffer<Float>, _ count: Int) {
    if buffer.count < count { buffer = Buffer(count: count) }
  }
}
