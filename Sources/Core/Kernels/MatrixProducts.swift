import CKernels
import Chunks
import Preconditions

/// What the rows of a product's input are.
package enum ProductRows {
  /// Time steps of all lanes.
  case steps
  /// Rows of one shard after another, as many of each where products need a fixed number.
  case byShard
}

/// The matrix products of a model, with the scratch memory that they share.
///
/// A result has the same bits whatever shards the rank has: those of the core's own kernels do not depend on how many
/// rows share a call, and oneDNN is called shard by shard.
package final class MatrixProducts {
  private let roundInputs: Bool
  private let oneDNN: OneDNNProducts?
  private let meter: StepMeter
  private let packing: PackingMemory
  private let scratch = Buffer<Float>(count: st_product_scratch())

  /// Products for chunks of `shape`; with bfloat16 inputs computed by `bfloat16`. oneDNN shares no packed weights.
  package init(
    precision: Precision, bfloat16: BFloat16Products, shape: ChunkShape, meter: StepMeter,
    sharing: SharedPacking? = nil
  ) {
    roundInputs = precision == .bfloat16
    oneDNN = roundInputs && bfloat16 == .oneDNN ? OneDNNProducts(shape: shape, meter: meter) : nil
    packing = PackingMemory(sharing)
    self.meter = meter
  }

  /// Whether the number of rows is in the bits of a result, and therefore must be the same in every chunk.
  package var needsFixedRows: Bool { oneDNN != nil }

  /// Whether the rows and columns of a gradient of weights are in its bits, so that it can't be computed in blocks.
  package var needsWholeGradients: Bool { oneDNN != nil }

  /// Makes room for the products of x [M, K] and w [N, K] and for their gradients, where x holds so many rows of a shard.
  package func reserve(rows: Int, outputs: Int, inputs: Int) {
    oneDNN?.reserve(rows: rows, outputs: outputs, inputs: inputs)
  }

  /// Whether a gradient of weights over so many rows is summed in registers before it is added, as one number an element:
  /// it is then the same whether it is added to a sum, or to zeros that are.
  package func addsWeightGradientAtOnce(rows: Int) -> Bool { oneDNN == nil && rows <= ST_ROW_DEPTH }

  /// y = x w^T, or y += x w^T. x [M, K], w [N, K], y [M, N].
  package func forward(
    _ x: Matrix, _ w: Matrix, into y: Matrix, accumulate: Bool = false, rows: ProductRows = .steps
  ) {
    precondition(
      x.columns == w.columns && y.rows == x.rows && y.columns == w.rows,
      "the shapes of a product's factors and result differ")
    meter.count(m: x.rows, n: w.rows, k: x.columns)
    meter.measure(.products) {
      if let oneDNN {
        oneDNN.multiply(x, w, transposed: true, into: y, accumulate: accumulate, rows: rows)
      } else {
        st_product_forward(
          x.rows, w.rows, x.columns, x.base, x.stride, w.base, w.stride, y.base, y.stride, accumulate,
          roundInputs, scratch.base)
      }
    }
  }

  /// dx = dy w, or dx += dy w. dy [M, N], w [N, K], dx [M, K].
  package func inputGradient(
    _ dy: Matrix, _ w: Matrix, into dx: Matrix, accumulate: Bool = false, rows: ProductRows = .steps
  ) {
    precondition(
      dy.columns == w.rows && dx.rows == dy.rows && dx.columns == w.columns,
      "the shapes of an input's gradient and its factors differ")
    meter.count(m: dy.rows, n: w.columns, k: w.rows)
    meter.measure(.products) {
      if let oneDNN {
        oneDNN.multiply(dy, w, transposed: false, into: dx, accumulate: accumulate, rows: rows)
      } else {
        st_product_input_gradient(
          dy.rows, w.columns, w.rows, dy.base, dy.stride, w.base, w.stride, dx.base, dx.stride, accumulate,
          roundInputs, scratch.base)
      }
    }
  }

  /// dw += dy^T x over the given rows. dy [rows, N], x [rows, K], dw [N, K].
  package func weightGradient(_ dy: Matrix, _ x: Matrix, rows: ShardRows, into dw: Matrix) {
    precondition(
      dw.rows == dy.columns && dw.columns == x.columns,
      "the shapes of a weight's gradient and its factors differ")
    guard rows.count > 0 else { return }
    precondition(rows.row(rows.count - 1) < min(dy.rows, x.rows), "rows beyond the matrices")
    meter.count(m: dw.rows, n: dw.columns, k: rows.count)
    meter.measure(.products) {
      if let oneDNN {
        oneDNN.weightGradient(dy, x, rows: rows, into: dw)
      } else {
        st_product_weight_gradient(
          dw.rows, dw.columns, rows.count, rows.lanes, rows.stride, dy[rows.first], dy.stride, x[rows.first],
          x.stride, dw.base, dw.stride, roundInputs, scratch.base)
      }
    }
  }

  /// Weights in the form in which the kernels read them, for products of one time step, which use them many times.
  package final class Packed {
    fileprivate enum Form {
      case kernels(UnsafeMutablePointer<Float>)
      case oneDNN(OneDNNProducts, OneDNNProducts.Packed)
    }

    fileprivate let form: Form
    fileprivate let outputs: Int
    fileprivate let inputs: Int
    fileprivate let accumulate: Bool

    fileprivate init(_ form: Form, outputs: Int, inputs: Int, accumulate: Bool) {
      self.form = form
      self.outputs = outputs
      self.inputs = inputs
      self.accumulate = accumulate
    }
  }

  /// Room for packed weights: `outputs` columns of the result, sums over `inputs`. With `accumulate` the product is
  /// added to what the result holds.
  package func makePacked(outputs: Int, inputs: Int, accumulate: Bool) -> Packed {
    let form: Packed.Form =
      if let oneDNN {
        .oneDNN(oneDNN, oneDNN.makePacked(outputs: outputs, inputs: inputs, accumulate: accumulate))
      } else {
        .kernels(packing.allocate(st_packed_size(outputs, inputs)))
      }
    return Packed(form, outputs: outputs, inputs: inputs, accumulate: accumulate)
  }

  /// Packs w [N, K] for x w^T.
  package func packForward(_ w: Matrix, into packed: Packed) {
    precondition(
      packed.outputs == w.rows && packed.inputs == w.columns,
      "weights are packed for a product of another shape")
    meter.measure(.packing) {
      switch packed.form {
      case .kernels(let values):
        let own = ownColumns(of: packed)
        st_pack_forward(
          own.count, packed.inputs, w.base + own.lowerBound * w.stride, w.stride, roundInputs,
          values + own.lowerBound * packed.inputs)
      case .oneDNN(let products, let packed): products.pack(w, transposed: true, into: packed)
      }
    }
  }

  /// Packs w [N, K] for dy w.
  package func packInputGradient(_ w: Matrix, into packed: Packed) {
    precondition(
      packed.outputs == w.columns && packed.inputs == w.rows,
      "weights are packed for a product of another shape")
    meter.measure(.packing) {
      switch packed.form {
      case .kernels(let values):
        let own = ownColumns(of: packed)
        st_pack_input_gradient(
          own.count, packed.inputs, w.base + own.lowerBound, w.stride, roundInputs,
          values + own.lowerBound * packed.inputs)
      case .oneDNN(let products, let packed): products.pack(w, transposed: false, into: packed)
      }
    }
  }

  /// The outputs whose weights this model packs: whole panels.
  private func ownColumns(of packed: Packed) -> Range<Int> {
    let panel = st_panel_columns()
    let own = packing.part(ofPanels: (packed.outputs + panel - 1) / panel)
    return min(own.lowerBound * panel, packed.outputs)..<min(own.upperBound * panel, packed.outputs)
  }

  /// y = x times the packed weights, or y += that, as they were made for; x holds one time step of all lanes.
  package func multiply(_ x: Matrix, _ packed: Packed, into y: Matrix) {
    precondition(
      x.columns == packed.inputs && y.columns == packed.outputs && x.rows == y.rows,
      "the shapes of a product's factors and result differ")
    meter.count(m: x.rows, n: packed.outputs, k: packed.inputs)
    meter.measure(.products) {
      switch packed.form {
      case .kernels(let values):
        st_product_packed(
          x.rows, packed.outputs, packed.inputs, x.base, x.stride, values, y.base, y.stride,
          packed.accumulate, roundInputs, scratch.base)
      case .oneDNN(let products, let packed): products.multiply(x, packed, into: y)
      }
    }
  }
}
