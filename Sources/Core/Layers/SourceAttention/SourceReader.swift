import CKernels
import Chunks

/// What a decoder reads from the source, step by step: a context for each query, the decoder's state.
protocol SourceReader: AnyObject {
  /// What was read. [T B, M]
  var context: Signal { get }
  /// Begins a chunk.
  func enter(_ chunk: Chunk)
  /// Reads for the queries of some time steps. [steps B, Q]
  func forward(_ steps: Range<Int>, queries: Matrix)
  /// The backward pass of that, from the gradients of the contexts; adds to those of the queries. Steps come in any order.
  func backward(_ steps: Range<Int>, queries: Matrix, into dQueries: Matrix)
  /// Ends the backward pass of a chunk, whose queries are given again: adds to the gradients of parameters and of the
  /// source. [T B, Q]
  func finish(_ chunk: Chunk, queries: Matrix)
}

/// What an encoder leaves for decoders to read.
struct EncodedSource {
  let options: SourceAttentionOptions
  /// h_s of each position. [S B, M]
  let memory: Signal
  /// What scores are computed from. [S B, A]
  let keys: Signal
  /// The last state. [B, M]
  let last: Signal

  /// A reader for the module that is added next.
  func reader(_ builder: Builder, queries: Int) -> any SourceReader {
    options.score == .none
      ? FixedContext(builder, reading: last, besides: memory)
      : SourceAttention(builder, reading: self, queries: queries)
  }
}

/// The encoder's last state at every step (Cho et al. 2014).
final class FixedContext: SourceReader {
  let context: Signal

  private let last: Signal
  private let sink: Sink?
  private let memorySink: Sink?

  /// `memory` may have no other reader, so this leaves it a gradient: zero.
  init(_ builder: Builder, reading last: Signal, besides memory: Signal) {
    self.last = last
    sink = builder.read(last)
    memorySink = builder.read(memory)
    context = builder.signal("context", columns: last.value.columns)
  }

  func enter(_ chunk: Chunk) {}

  func forward(_ steps: Range<Int>, queries: Matrix) {
    for t in steps { context.value.step(t, of: last.value.rows).copy(from: last.value) }
  }

  func backward(_ steps: Range<Int>, queries: Matrix, into dQueries: Matrix) {}

  func finish(_ chunk: Chunk, queries: Matrix) {
    if let memorySink, !memorySink.adds, let source = chunk.source {
      memorySink.gradient.prefix(source.rows).clear()
    }
    sink?.write(rows: last.value.rows) { sum in
      sum.clear()
      for t in 0..<chunk.steps { sum.add(context.gradient.step(t, of: sum.rows)) }
    }
  }
}

/// A reader behind a decoder, whose outputs are its queries: they are all there before anything is read.
final class SourceReading: Module {
  /// [T B, M]
  var context: Signal { reader.context }

  private let reader: any SourceReader
  private let queries: Signal
  private let sink: Sink?

  init(_ builder: Builder, reading source: EncodedSource, by queries: Signal) {
    self.queries = queries
    sink = builder.read(queries)
    reader = source.reader(builder, queries: queries.value.columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    reader.enter(chunk)
    reader.forward(0..<chunk.steps, queries: queries.value.prefix(chunk.rows))
  }

  func backward(_ chunk: Chunk) {
    let queries = queries.value.prefix(chunk.rows)
    sink?.write(rows: chunk.rows) { dQueries in
      dQueries.clear()
      reader.backward(0..<chunk.steps, queries: queries, into: dQueries)
    }
    reader.finish(chunk, queries: queries)
  }
}
