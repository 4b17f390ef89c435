import CKernels
import Chunks

/// Attention within streams: queries, keys and values come from one signal.
///
/// Causal with a memory: each position sees the M before it and itself, as far as they are of its stream. Every position has
/// a window of the same size, so that outputs don't depend on where chunks are cut; rotary positions count from the memory's
/// oldest place. Where nothing is carried the memory stays empty and takes no room. Without one, each position sees all of the
/// chunk that is of its stream.
final class SelfAttention: Module {
  /// [T B, W]
  let output: Signal

  private let input: Signal
  private let sink: Sink?
  private let heads: AttentionHeads
  /// M, the places before the chunk's first; 0 for attention both ways.
  private let size: Int
  private let memory: AttentionMemory?
  /// The first place that any position of the lane sees. [B]
  private let lowest: Buffer<Int>

  /// Reads queries, keys and values beside each other, [T B, 3 W].
  ///
  /// - Parameters:
  ///   - memory: M; nil for attention both ways.
  ///   - carries: Whether the memory is carried into the next chunk.
  ///   - isRotary: Whether queries and keys are turned by their positions.
  init(
    _ builder: Builder, name: String, reading input: Signal, heads: Int, memory size: Int?, carries: Bool,
    isRotary: Bool
  ) {
    let (width, steps) = (input.value.columns / 3, builder.shape.steps)
    let places = (size ?? 0) + steps
    self.size = size ?? 0
    self.input = input
    sink = builder.read(input)
    memory =
      size.flatMap { carries ? AttentionMemory(builder, name: name, size: $0, width: width) : nil }
    self.heads = AttentionHeads(
      builder, heads: heads, width: width, queries: steps, keys: places,
      rotary: isRotary ? Rotary(width: width / heads, positions: places) : nil)
    lowest = Buffer(count: builder.shape.lanes)
    output = builder.signal(name, columns: width)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    let x = input.value.prefix(chunk.rows)
    memory?.take(columns(1, of: x), columns(2, of: x), steps: chunk.steps)
    for lane in 0..<chunk.lanes {
      if size > 0 { showBefore(chunk, lane) } else { showAround(chunk, lane) }
    }
    heads.forward(columns(0, of: x), at: size, into: output.value.prefix(chunk.rows)) { read($0, x) }
  }

  func backward(_ chunk: Chunk) {
    let x = input.value.prefix(chunk.rows)
    sink?.write(rows: chunk.rows) { dx in
      let (keys, values, stride) = (columns(1, of: dx), columns(2, of: dx), chunk.lanes * dx.stride)
      let places = size..<size + chunk.steps
      heads.backward(
        columns(0, of: x), at: size, outputs: output.value.prefix(chunk.rows),
        gradients: output.gradient.prefix(chunk.rows), into: columns(0, of: dx), of: places,
        reading: { read($0, x) },
        writing: { head in
          let column = head.columns.lowerBound
          heads.write(
            places, keys: keys[head.lane] + column, values: values[head.lane] + column, stride: stride)
        })
    }
  }

  /// Queries, keys or values of what lies beside each other.
  private func columns(_ part: Int, of x: Matrix) -> Matrix {
    let width = output.value.columns
    return x.columns(part * width..<(part + 1) * width)
  }

  /// Each position sees those before it.
  private func showBefore(_ chunk: Chunk, _ lane: Int) {
    var start = size - (memory?.known(lane) ?? 0)
    for t in 0..<chunk.steps {
      if chunk.isReset(t, lane: lane) { start = size + t }
      let first = max(start, t)
      heads.show(first..<size + t + 1, to: t, lane: lane)
      if t == 0 { lowest.base[lane] = first }
    }
    memory?.setKnown(size + chunk.steps - start, lane: lane)
  }

  /// Each position sees the stream around it: padding is a stream of its own.
  private func showAround(_ chunk: Chunk, _ lane: Int) {
    var start = 0
    for t in 1...chunk.steps where t == chunk.steps || chunk.isReset(t, lane: lane) {
      for query in start..<t { heads.show(start..<t, to: query, lane: lane) }
      start = t
    }
  }

  /// Copies a head's keys and values: of the memory, then of the chunk.
  private func read(_ head: AttentionHeads.Head, _ x: Matrix) {
    let (column, lanes) = (head.columns.lowerBound, lowest.count)
    memory?.forEachRun(lane: head.lane, from: lowest.base[head.lane]) { places, keys, values in
      heads.read(places, keys: keys + column, values: values + column, stride: output.value.columns)
    }
    heads.read(
      size..<size + x.rows / lanes, keys: columns(1, of: x)[head.lane] + column,
      values: columns(2, of: x)[head.lane] + column, stride: lanes * x.stride)
  }
}
