import CKernels
import Chunks
import Preconditions

/// The sum of two signals.
final class Sum: Module {
  /// [T B, C]
  let output: Signal

  private let inputs: [Signal]
  private let sinks: [Sink?]

  init(_ builder: Builder, name: String, _ a: Signal, _ b: Signal) {
    precondition(a.value.columns == b.value.columns, "signals that are added have one width")
    inputs = [a, b]
    sinks = inputs.map { builder.read($0) }
    output = builder.signal(name, columns: a.value.columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    let y = output.value.prefix(chunk.rows)
    st_add(y.count, inputs[0].value.base, inputs[1].value.base, y.base)
  }

  func backward(_ chunk: Chunk) {
    let dy = output.gradient.prefix(chunk.rows)
    for sink in sinks { sink?.add(dy) }
  }
}
