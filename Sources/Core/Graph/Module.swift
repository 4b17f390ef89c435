import Chunks

/// A map of signals with parameters, as an explicit pair of forward and backward passes.
///
/// Modules are made with a `Builder`, which they ask for all that they need, and run in the order in which they were
/// added to it; their backward passes run in the reverse order.
package protocol Module: AnyObject {
  /// Computes the outputs from the inputs, and keeps what `backward` needs.
  func forward(_ chunk: Chunk)
  /// From the gradients of the outputs, which it may overwrite, to those of the inputs; adds to the gradients of the
  /// parameters. Follows a `forward` of the same chunk.
  func backward(_ chunk: Chunk)
  /// Call when the weights have changed.
  func prepareWeights()
}

extension Module {
  package func prepareWeights() {}
}
