import CKernels
import Chunks

/// The first states of the lanes that a signal gives: of pairs, what the encoder makes of the source.
final class InitialSignal: InitialStates {
  private let states: Signal
  private let sink: Sink?
  private let gradients: Matrix

  /// Reads `states` [B, H].
  init(_ builder: Builder, reading states: Signal) {
    self.states = states
    sink = builder.read(states)
    gradients = builder.floats(states.value.rows, states.value.columns)
  }

  func forward(_ chunk: Chunk) { gradients.clear() }

  func state(at position: Int) -> UnsafePointer<Float> {
    UnsafePointer(states.value[position % states.value.rows])
  }

  func add(_ gradient: UnsafePointer<Float>, at position: Int) {
    let sum = gradients[position % gradients.rows]
    st_add(gradients.columns, sum, gradient, sum)
  }

  func backward(_ chunk: Chunk) { sink?.add(gradients) }
}
