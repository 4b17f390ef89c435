import CKernels

/// How matrix products are computed.
public enum Precision: String, Sendable, CaseIterable {
  /// float32 inputs, float32 sums.
  case float32
  /// bfloat16 inputs, float32 sums. Weights, gates, states and losses stay float32 or better.
  case bfloat16
}

/// The matrix products of a model, with the scratch memory that they share.
///
/// An element of a result has the same bits however many rows share the call.
final class MatrixProducts {
  private let roundInputs: Bool
  private let meter: StepMeter
  private let scratch = Buffer<Float>(count: st_product_scratch())

  init(precision: Precision, meter: StepMeter) {
    roundInputs = precision == .bfloat16
    self.meter = meter
  }

  /// y = x w^T, or y += x w^T. x [M, K], w [N, K], y [M, N].
  func forward(_ x: Matrix, _ w: Matrix, into y: Matrix, accumulate: Bool = false) {
    precondition(x.columns == w.columns && y.rows == x.rows && y.columns == w.rows)
    meter.count(m: x.rows, n: w.rows, k: x.columns)
    meter.measure(.products) {
      st_product_forward(
        x.rows, w.rows, x.columns, x.base, x.stride, w.base, w.stride, y.base, y.stride, accumulate,
        roundInputs, scratch.base)
    }
  }

  /// dx = dy w, or dx += dy w. dy [M, N], w [N, K], dx [M, K].
  func inputGradient(_ dy: Matrix, _ w: Matrix, into dx: Matrix, accumulate: Bool = false) {
    precondition(dy.columns == w.rows && dx.rows == dy.rows && dx.columns == w.columns)
    meter.count(m: dy.rows, n: w.columns, k: w.rows)
    meter.measure(.products) {
      st_product_input_gradient(
        dy.rows, w.columns, w.rows, dy.base, dy.stride, w.base, w.stride, dx.base, dx.stride, accumulate,
        roundInputs, scratch.base)
    }
  }

  /// dw += dy^T x over the given rows. dy [rows, N], x [rows, K], dw [N, K].
  func weightGradient(_ dy: Matrix, _ x: Matrix, rows: ShardRows, into dw: Matrix) {
    precondition(dw.rows == dy.columns && dw.columns == x.columns)
    guard rows.count > 0 else { return }
    precondition(rows.row(rows.count - 1) < min(dy.rows, x.rows), "rows beyond the matrices")
    meter.count(m: dw.rows, n: dw.columns, k: rows.count)
    meter.measure(.products) {
      st_product_weight_gradient(
        dw.rows, dw.columns, rows.count, rows.lanes, rows.stride, dy[rows.first], dy.stride, x[rows.first],
        x.stride, dw.base, dw.stride, roundInputs, scratch.base)
    }
  }

  /// Weights in the form in which the kernels read them, for products that use them many times.
  final class Packed {
    fileprivate let values: Buffer<Float>
    fileprivate let outputs: Int
    fileprivate let inputs: Int

    /// Room for `outputs` columns of the result, sums over `inputs`.
    init(outputs: Int, inputs: Int) {
      self.outputs = outputs
      self.inputs = inputs
      values = Buffer(count: st_packed_size(outputs, inputs))
    }
  }

  /// Packs w [N, K] for x w^T.
  func packForward(_ w: Matrix, into packed: Packed) {
    precondition(packed.outputs == w.rows && packed.inputs == w.columns)
    meter.measure(.packing) {
      st_pack_forward(w.rows, w.columns, w.base, w.stride, roundInputs, packed.values.base)
    }
  }

  /// Packs w [N, K] for dy w.
  func packInputGradient(_ w: Matrix, into packed: Packed) {
    precondition(packed.outputs == w.columns && packed.inputs == w.rows)
    meter.measure(.packing) {
      st_pack_input_gradient(w.columns, w.rows, w.base, w.stride, roundInputs, packed.values.base)
    }
  }

  /// y = x times the packed weights, or y += that.
  func multiply(_ x: Matrix, _ packed: Packed, into y: Matrix, accumulate: Bool = false) {
    precondition(x.columns == packed.inputs && y.columns == packed.outputs && x.rows == y.rows)
    meter.count(m: x.rows, n: packed.outputs, k: packed.inputs)
    meter.measure(.products) {
      st_product_packed(
        x.rows, packed.outputs, packed.inputs, x.base, x.stride, packed.values.base, y.base, y.stride,
        accumulate, roundInputs, scratch.base)
    }
  }
}
