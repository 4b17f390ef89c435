import CKernels
import Chunks
import Preconditions

/// The matrix products of whole shards in bfloat16, by oneDNN.
///
/// The bits of oneDNN's results depend on the number of rows of a call, so every call has the rows of one shard: the
/// same call whatever shards the rank has besides. Factors are rounded to bfloat16 into memory without gaps, which also
/// brings a shard's rows together.
final class OneDNNProducts {
  /// Packed weights of a recurrent product, and the product.
  final class Packed {
    fileprivate let matmul: OneDNNMatmul
    fileprivate let values: Buffer<UInt16>

    fileprivate init(_ matmul: OneDNNMatmul) {
      self.matmul = matmul
      values = Buffer(count: matmul.packedCount)
    }
  }

  private let shape: ChunkShape
  private let meter: StepMeter
  private var matmuls: [OneDNNMatmul.Shape: OneDNNMatmul] = [:]
  // Each has what the largest product needs; oneDNN's form of weights may take a little more, known in the first step.
  private var left = Buffer<UInt16>(count: 0)
  private var right = Buffer<UInt16>(count: 0)
  private var sums = Buffer<Float>(count: 0)
  private var scratch = Buffer<UInt8>(count: 0)

  init(shape: ChunkShape, meter: StepMeter) {
    self.shape = shape
    self.meter = meter
  }

  /// Makes room for the products of x [M, K] and w [N, K] and for their gradients, where x holds so many rows of a shard.
  func reserve(rows: Int, outputs: Int, inputs: Int) {
    let width = max(outputs, inputs)
    Self.reserve(&left, max(rows * width, outputs * inputs))
    Self.reserve(&right, max(rows * inputs, outputs * inputs))
    if shape.shards > 1 { Self.reserve(&sums, rows * width) }
  }

  /// y = x w^T with `transposed`, otherwise x w, or y += that.
  func multiply(
    _ x: Matrix, _ w: Matrix, transposed: Bool, into y: Matrix, accumulate: Bool, rows: ProductRows
  ) {
    let matmul = matmul(
      .init(rows: x.rows / shape.shards, outputs: y.columns, inputs: x.columns, accumulate: accumulate))
    Self.reserve(&right, matmul.packedCount)
    pack(w, transposed: transposed, for: matmul, into: right)
    switch rows {
    case .steps: multiplySteps(x, right, by: matmul, into: y)
    case .byShard:
      let count = x.rows / shape.shards
      for shard in 0..<shape.shards {
        multiply(x, right, by: matmul, into: y, rows: .together(shard * count..<(shard + 1) * count))
      }
    }
  }

  /// dw += dy^T x over the rows of a shard.
  func weightGradient(_ dy: Matrix, _ x: Matrix, rows: ShardRows, into dw: Matrix) {
    precondition(dw.stride == dw.columns, "gradients of weights have no gaps")
    let matmul = matmul(
      .init(rows: dw.rows, outputs: dw.columns, inputs: rows.count, accumulate: true, overRows: true))
    round(dy, rows, into: &left)
    round(x, rows, into: &right)
    matmul.multiply(left, right, into: dw.base, scratch: scratch)
  }

  /// Room for weights that are used for many products of one time step, and the product, which adds to its result with
  /// `accumulate`.
  func makePacked(outputs: Int, inputs: Int, accumulate: Bool) -> Packed {
    Packed(
      matmul(.init(rows: shape.lanesPerShard, outputs: outputs, inputs: inputs, accumulate: accumulate)))
  }

  /// Packs w [N, K] with `transposed`, otherwise w [K, N].
  func pack(_ w: Matrix, transposed: Bool, into packed: Packed) {
    pack(w, transposed: transposed, for: packed.matmul, into: packed.values)
  }

  /// y = or += x times the packed weights, as they were made for; x holds one time step of all lanes.
  func multiply(_ x: Matrix, _ packed: Packed, into y: Matrix) {
    precondition(x.rows == shape.lanes, "packed weights are for one time step")
    multiplySteps(x, packed.values, by: packed.matmul, into: y)
  }

  private func matmul(_ shape: OneDNNMatmul.Shape) -> OneDNNMatmul {
    if let matmul = matmuls[shape] { return matmul }
    let matmul = OneDNNMatmul(shape)
    matmuls[shape] = matmul
    Self.reserve(&scratch, matmul.scratchCount)
    return matmul
  }

  private func pack(_ w: Matrix, transposed: Bool, for matmul: OneDNNMatmul, into packed: Buffer<UInt16>) {
    meter.measure(.packing) {
      round(w, .all(w.rows), into: &left)
      matmul.pack(left, transposed: transposed, into: packed)
    }
  }

  private func multiplySteps(
    _ x: Matrix, _ weights: Buffer<UInt16>, by matmul: OneDNNMatmul, into y: Matrix
  ) {
    precondition(x.rows % shape.lanes == 0, "a product takes whole time steps")
    for shard in 0..<shape.shards {
      multiply(
        x, weights, by: matmul, into: y, rows: shape.shardRows(shard, steps: x.rows / shape.lanes))
    }
  }

  private func multiply(
    _ x: Matrix, _ weights: Buffer<UInt16>, by matmul: OneDNNMatmul, into y: Matrix, rows: ShardRows
  ) {
    round(x, rows, into: &left)
    let areTogether = rows.count == rows.lanes || rows.lanes == rows.stride
    if areTogether && y.stride == y.columns {
      matmul.multiply(left, weights, into: y[rows.first], scratch: scratch)
      return
    }
    Self.reserve(&sums, rows.count * y.columns)
    let together = sums.matrix(rows: rows.count, columns: y.columns)
    if matmul.shape.accumulate {
      for r in 0..<rows.count { together[r].update(from: y[rows.row(r)], count: y.columns) }
    }
    matmul.multiply(left, weights, into: together.base, scratch: scratch)
    for r in 0..<rows.count { y[rows.row(r)].update(from: together[r], count: y.columns) }
  }

  private func round(_ x: Matrix, _ rows: ShardRows, into buffer: inout Buffer<UInt16>) {
    Self.reserve(&buffer, rows.count * x.columns)
    st_round_rows(x.columns, rows.count, rows.lanes, rows.stride, x[rows.first], x.stride, buffer.base)
  }

  private static func reserve<Element>(_ buffer: inout Buffer<Element>, _ count: Int) {
    if buffer.count < count { buffer = Buffer(count: count) }
  }
}
