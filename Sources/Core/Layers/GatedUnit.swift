import CKernels
import Chunks

/// A gated linear unit of an input [u, v]: u sigmoid(v) (Dauphin et al. 2017), or with SiLU silu(u) v (Shazeer 2020).
final class GatedUnit: Module {
  /// What gates.
  enum Kind {
    case sigmoid, silu
  }

  /// [T B, C / 2]
  let output: Signal

  private let kind: Kind
  private let input: Signal
  private let sink: Sink?

  init(_ builder: Builder, name: String, reading input: Signal, by kind: Kind) {
    self.kind = kind
    self.input = input
    sink = builder.read(input)
    output = builder.signal(name, columns: input.value.columns / 2)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    let (x, y) = (input.value, output.value)
    switch kind {
    case .sigmoid: st_glu_forward(chunk.rows, y.columns, x.base, y.base)
    case .silu: st_gated_silu_forward(chunk.rows, y.columns, x.base, y.base)
    }
  }

  func backward(_ chunk: Chunk) {
    let (x, dy) = (input.value, output.gradient)
    sink?.write(rows: chunk.rows) { dx in
      switch kind {
      case .sigmoid: st_glu_backward(chunk.rows, dy.columns, x.base, dy.base, dx.base)
      case .silu: st_gated_silu_backward(chunk.rows, dy.columns, x.base, dy.base, dx.base)
      }
    }
  }
}
