import Chunks

/// Signals beside each other.
final class Concatenation: Module {
  /// [T B, the sum of the inputs' columns]
  let output: Signal

  private let inputs: [Signal]
  private let sinks: [Sink?]
  /// The columns of each input in the output.
  private let columns: [Range<Int>]

  init(_ builder: Builder, name: String, reading inputs: [Signal]) {
    self.inputs = inputs
    sinks = inputs.map { builder.read($0) }
    var columns: [Range<Int>] = []
    for input in inputs {
      let first = columns.last?.upperBound ?? 0
      columns.append(first..<first + input.value.columns)
    }
    self.columns = columns
    output = builder.signal(name, columns: columns.last?.upperBound ?? 0)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    for (input, columns) in zip(inputs, columns) {
      copy(input.value, to: output.value.columns(columns), rows: chunk.rows)
    }
  }

  func backward(_ chunk: Chunk) {
    for (sink, columns) in zip(sinks, columns) {
      let part = output.gradient.columns(columns)
      sink?.write(rows: chunk.rows) { copy(part, to: $0, rows: chunk.rows) }
    }
  }

  private func copy(_ from: Matrix, to: Matrix, rows: Int) {
    for row in 0..<rows { to[row].update(from: from[row], count: to.columns) }
  }
}
