import CKernels
import Chunks
import Preconditions

/// Attention by several heads (Vaswani et al. 2017). Each head has D of the columns of queries, keys and values:
///
///     y_u = sum over s of p_us v_s      p_us = softmax over s of q_u . k_s / sqrt(D)      first_u <= s <= last_u
///
/// Queries and keys have time steps of their own, and each query of each lane sees a range of keys: those before it, the
/// stream around it, or another stream. Lanes and heads are computed one after another, so that memory grows with the number
/// of queries and keys, not with their product, and a lane's bits depend on nothing but the lane.
final class AttentionHeads {
  /// A head of a lane.
  struct Head {
    let lane: Int
    /// Its number among the heads.
    let index: Int
    /// Its columns, of those of all heads.
    let columns: Range<Int>
  }

  private let context: ModuleContext
  let count: Int
  /// D.
  private let width: Int
  private let mostQueries: Int
  private let rotary: Rotary?
  /// The first and last key that each query sees. [B, U]
  private let first: Buffer<Int32>
  private let last: Buffer<Int32>
  /// The largest score of each query, and the inverse of the sum of exp(score - largest). [B, heads, U]
  private let largest: Buffer<Float>
  private let inverse: Buffer<Float>
  /// Those of the head that is computed, without gaps. [U, D] and [S, D]
  private let queries: Matrix
  private let queryGradients: Matrix
  private let keys: Matrix
  private let keyGradients: Matrix
  private let values: Matrix
  private let valueGradients: Matrix
  private let scratch: Buffer<Float>

  /// `heads` heads over `width` columns together, for up to so many queries and keys of a lane.
  ///
  /// - Parameter rotary: What turns queries and keys by their positions, if anything does.
  init(
    _ builder: Builder, heads: Int, width: Int, queries: Int, keys: Int, rotary: Rotary? = nil
  ) {
    precondition(width % (2 * heads) == 0, "heads are an even number of columns wide")
    let (lanes, columns) = (builder.shape.lanes, width / heads)
    context = builder.context
    count = heads
    self.width = columns
    mostQueries = queries
    self.rotary = rotary
    first = Buffer(count: lanes * queries)
    last = Buffer(count: lanes * queries)
    largest = Buffer(count: lanes * heads * queries)
    inverse = Buffer(count: lanes * heads * queries)
    self.queries = builder.floats(queries, columns)
    queryGradients = builder.floats(queries, columns)
    self.keys = builder.floats(keys, columns)
    keyGradients = builder.floats(keys, columns)
    values = builder.floats(keys, columns)
    valueGradients = builder.floats(keys, columns)
    scratch = Buffer(count: st_attention_scratch(columns))
  }

  /// Has a query of a lane see those keys, or none. Call before `forward`, for all of its queries.
  func show(_ keys: Range<Int>, to query: Int, lane: Int) {
    first.base[lane * mostQueries + query] = Int32(keys.lowerBound)
    last.base[lane * mostQueries + query] = Int32(keys.upperBound) - 1
  }

  /// Computes `outputs` from `queries`, both [U B, W], the first at `position` of the keys; `read` copies a head's keys and
  /// values.
  func forward(_ queries: Matrix, at position: Int = 0, into outputs: Matrix, reading read: (Head) -> Void) {
    forEachHead { head in
      read(head)
      readQueries(queries, head, position)
      let (own, from) = (statistics(of: head), head.lane * mostQueries)
      context.meter.measure(.products) {
        st_attention_forward(
          queries.rows / lanes, width, self.queries.base, keys.base, values.base, first.base + from,
          last.base + from, outputs[head.lane] + head.columns.lowerBound, lanes * outputs.stride,
          largest.base + own, inverse.base + own, scratch.base)
      }
    }
    countOperations(queries: queries.rows / lanes, products: 2)
  }

  /// From the gradient of `outputs` to that of `queries`, and to those of some of a head's keys and values, which `write`
  /// copies to where they belong. Follows a `forward` of the same.
  func backward(
    _ queries: Matrix, at position: Int = 0, outputs: Matrix, gradients: Matrix,
    into queryGradients: Matrix, of wanted: Range<Int>, reading read: (Head) -> Void,
    writing write: (Head) -> Void
  ) {
    let steps = queries.rows / lanes
    forEachHead { head in
      read(head)
      readQueries(queries, head, position)
      keyGradients.rows(wanted).clear()
      valueGradients.rows(wanted).clear()
      let (own, from, column) = (statistics(of: head), head.lane * mostQueries, head.columns.lowerBound)
      context.meter.measure(.products) {
        st_attention_backward(
          steps, width, self.queries.base, keys.base, values.base, first.base + from, last.base + from,
          outputs[head.lane] + column, gradients[head.lane] + column, lanes * outputs.stride,
          largest.base + own, inverse.base + own, wanted.lowerBound, self.queryGradients.base,
          keyGradients.base, valueGradients.base, scratch.base)
      }
      st_scatter_head(
        steps, width, self.queryGradients.base, rotary?.turns(from: position), scale,
        queryGradients[head.lane] + column, lanes * queryGradients.stride)
      write(head)
    }
    countOperations(queries: steps, products: 5)
  }

  /// Copies keys and values of the head that is computed: each of `places` is a row of both, `stride` floats after the last.
  func read(
    _ places: Range<Int>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, stride: Int
  ) {
    let from = places.lowerBound
    st_gather_head(
      places.count, width, keys, stride, rotary?.turns(from: from), 1, self.keys[from])
    st_gather_head(places.count, width, values, stride, nil, 1, self.values[from])
  }

  /// The gradients of that.
  func write(
    _ places: Range<Int>, keys: UnsafeMutablePointer<Float>, values: UnsafeMutablePointer<Float>, stride: Int
  ) {
    let from = places.lowerBound
    st_scatter_head(
      places.count, width, keyGradients[from], rotary?.turns(from: from), 1, keys, stride)
    st_scatter_head(places.count, width, valueGradients[from], nil, 1, values, stride)
  }

  private var lanes: Int { context.shape.lanes }

  /// What scores are multiplied by, by way of the queries.
  private var scale: Float { 1 / Float(width).squareRoot() }

  private func forEachHead(_ body: (Head) -> Void) {
    for lane in 0..<lanes {
      for head in 0..<count {
        body(Head(lane: lane, index: head, columns: head * width..<(head + 1) * width))
      }
    }
  }

  /// Where a head's `largest` and `inverse` begin.
  private func statistics(of head: Head) -> Int { (head.lane * count + head.index) * mostQueries }

  private func readQueries(_ queries: Matrix, _ head: Head, _ position: Int) {
    st_gather_head(
      queries.rows / lanes, width, queries[head.lane] + head.columns.lowerBound, lanes * queries.stride,
      rotary?.turns(from: position), scale, self.queries.base)
  }

  /// Counts products over all pairs of a query and a key that it sees.
  private func countOperations(queries: Int, products: Int) {
    var pairs = 0
    for lane in 0..<lanes {
      for query in lane * mostQueries..<lane * mostQueries + queries {
        pairs += Int(last.base[query]) + 1 - Int(first.base[query])
      }
    }
    let rows = products * lanes * (queries + keys.rows)
    context.meter.count(
      operations: Double(2 * products * pairs * count * width), bytes: Double(4 * rows * count * width))
  }
}
