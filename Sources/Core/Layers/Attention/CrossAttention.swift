import Chunks
import Glibc
import Preconditions

/// Multi-head attention of a decoder to the source of its lane (Vaswani et al. 2017), of S positions:
///
///     q_u = q x_u     k_s, v_s = split(kv m_s)
///     y_u = out_proj(concat over heads of sum over s of softmax_s(q_u . k_s / sqrt(D)) v_s)
///
/// This module has the middle, from q and [k, v] to what `out_proj` reads. A lane without a source reads zeros.
final class CrossAttention: Module {
  /// [U B, W]
  let output: Signal

  private let queries: Signal
  private let source: Signal
  private let querySink: Sink?
  private let sourceSink: Sink?
  private let heads: AttentionHeads
  private let lengths: SourceLengths

  /// Adds the whole to a decoder's block; returns what `out_proj` makes of it. [U B, W]
  ///
  /// - Parameters:
  ///   - configuration: The decoder's.
  ///   - input: x. [U B, W]
  ///   - memory: m, the encoder's outputs. [S B, M]
  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: Signal,
    of memory: Signal
  ) -> Signal {
    let name = "cross.\(index)"
    let source = builder.overSource {
      AttentionLayer.map("\(name).kv", builder, configuration, reading: memory, blocks: 2)
    }
    let attention = CrossAttention(
      builder, name: name,
      queries: AttentionLayer.map("\(name).q", builder, configuration, reading: input), source: source,
      heads: configuration[AttentionOptions.self].heads)
    return AttentionLayer.map(
      "\(name).out_proj", builder, configuration, reading: attention.output,
      factor: configuration.writerFactor)
  }

  /// Reads queries [U B, W], and keys and values beside each other [S B, 2 W].
  private init(_ builder: Builder, name: String, queries: Signal, source: Signal, heads: Int) {
    let width = queries.value.columns
    self.queries = queries
    self.source = source
    querySink = builder.read(queries)
    sourceSink = builder.read(source)
    self.heads = AttentionHeads(
      builder, heads: heads, width: width, queries: builder.shape.steps, keys: builder.shape.sourceSteps)
    lengths = SourceLengths(lanes: builder.shape.lanes)
    output = builder.signal(name, columns: width)
    builder.add(self)
    builder.show(self)
  }

  func forward(_ chunk: Chunk) {
    let source = TimeAxis.source.part(of: chunk)
    lengths.measure(source)
    for lane in 0..<chunk.lanes {
      for u in 0..<chunk.steps { heads.show(0..<lengths[lane], to: u, lane: lane) }
    }
    heads.forward(queries.value.prefix(chunk.rows), into: output.value.prefix(chunk.rows)) {
      read($0, source)
    }
  }

  func backward(_ chunk: Chunk) {
    let source = TimeAxis.source.part(of: chunk)
    guard let querySink, let sourceSink else { preconditionFailure("maps are no data") }
    querySink.write(rows: chunk.rows) { dQueries in
      sourceSink.write(rows: source.rows) { dSource in
        let (keys, values) = parts(of: dSource)
        heads.backward(
          queries.value.prefix(chunk.rows), outputs: output.value.prefix(chunk.rows),
          gradients: output.gradient.prefix(chunk.rows), into: dQueries, of: 0..<source.steps,
          reading: { read($0, source) },
          writing: { head in
            let column = head.columns.lowerBound
            heads.write(
              0..<source.steps, keys: keys[head.lane] + column, values: values[head.lane] + column,
              stride: source.lanes * dSource.stride)
          })
      }
    }
  }

  /// Keys and values of what lies beside each other.
  private func parts(of both: Matrix) -> (keys: Matrix, values: Matrix) {
    let width = both.columns / 2
    return (both.columns(0..<width), both.columns(width..<2 * width))
  }

  private func read(_ head: AttentionHeads.Head, _ chunk: Chunk) {
    let ((keys, values), column) = (parts(of: source.value), head.columns.lowerBound)
    heads.read(
      0..<chunk.steps, keys: keys[head.lane] + column, values: values[head.lane] + column,
      stride: chunk.lanes * source.value.stride)
  }
}

extension CrossAttention: SourceAttending {
  var headCount: Int { heads.count }

  /// The weights are not kept, since memory would grow with the product of queries and positions.
  func addWeights(ofRow row: Int, to sums: inout [Float]) {
    let (keys, lanes) = (parts(of: source.value).keys, lengths.count)
    let width = queries.value.columns / headCount
    for head in 0..<headCount {
      let query = queries.value[row] + head * width
      let scores = sums.indices.map { position in
        let key = keys[position * lanes + row % lanes] + head * width
        return (0..<width).reduce(Float(0)) { $0 + query[$1] * key[$1] } / Float(width).squareRoot()
      }
      let largest = scores.max() ?? 0
      let shares = scores.map { exp($0 - largest) }
      let total = shares.reduce(0, +)
      for position in sums.indices { sums[position] += shares[position] / total }
    }
  }
}
