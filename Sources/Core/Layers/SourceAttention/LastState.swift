import CKernels
import Chunks

/// What an encoder has at the ends of the sources, in each of its directions beside each other: going forward at a
/// source's last position, in reverse at its first. Zero for a lane without a source.
final class LastState: Module {
  /// [B, the sum of the signals' columns]
  let output: Signal

  private let inputs: [(signal: Signal, direction: Direction)]
  private let sinks: [Sink?]
  private let lengths: SourceLengths

  init(_ builder: Builder, name: String, reading inputs: [(signal: Signal, direction: Direction)]) {
    self.inputs = inputs
    sinks = inputs.map { builder.read($0.signal) }
    lengths = SourceLengths(lanes: builder.shape.lanes)
    let columns = inputs.reduce(0) { $0 + $1.signal.value.columns }
    output = builder.signal(name, value: builder.floats(builder.shape.lanes, columns))
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    lengths.measure(chunk)
    output.value.clear()
    forEachPart { lane, index, row, columns in
      output.value.columns(columns)[lane].update(from: inputs[index].signal.value[row], count: columns.count)
    }
  }

  func backward(_ chunk: Chunk) {
    for case let sink? in sinks where !sink.adds { sink.gradient.prefix(chunk.rows).clear() }
    forEachPart { lane, index, row, columns in
      guard let gradient = sinks[index]?.gradient[row] else { return }
      st_add(columns.count, gradient, output.gradient.columns(columns)[lane], gradient)
    }
  }

  /// Calls `body` with each lane that has a source and each input: the input's row, and its columns in the output.
  private func forEachPart(_ body: (_ lane: Int, _ index: Int, _ row: Int, _ columns: Range<Int>) -> Void) {
    let lanes = output.value.rows
    for lane in 0..<lanes where lengths[lane] > 0 {
      var first = 0
      for (index, input) in inputs.enumerated() {
        let columns = first..<first + input.signal.value.columns
        first = columns.upperBound
        body(lane, index, (input.direction == .forward ? lengths[lane] - 1 : 0) * lanes + lane, columns)
      }
    }
  }
}
