import CKernels
import Chunks

/// A state that is carried from chunk to chunk.
package struct CarriedState {
  /// Its name, such as `rnn.h_l0`.
  package internal(set) var name: String
  /// What the last chunk left, which the next one begins with. [B, W]
  package let values: Matrix
  /// What entered the last chunk. [B, W]
  let entering: Matrix
  /// Before the backward pass, the gradient of the state that leaves the chunk; after it, of the state that entered. Zero
  /// in training, where no gradient crosses chunks. [B, W], or of no columns where it is never computed.
  package let gradient: Matrix
  /// Whose time steps it is carried over.
  var axis = TimeAxis.stream
  /// Finds a value that is not finite among those that the last chunk has changed, where these are few.
  var lookAtChanges: (() -> Int?)?

  /// Where the last chunk has left a value that is not finite, if it has.
  package var firstNonFinite: Int? {
    if let lookAtChanges { return lookAtChanges() }
    let element = st_first_non_finite(values.count, values.base)
    return element >= 0 ? element : nil
  }
}
