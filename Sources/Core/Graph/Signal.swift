import Chunks
import Preconditions

/// Values [T B, C] that pass from the module that makes them to any number of readers, and their gradient.
///
/// Both are views fixed when the model is built, with room for the longest chunk.
package struct Signal {
  /// What the module makes, by name.
  package let name: String
  /// [T B, C]
  package let value: Matrix
  /// The gradient of the loss, complete when the maker's backward pass begins. [T B, C]
  let gradient: Matrix
  /// Its number in the builder.
  let index: Int
  /// Whether it is data, of which nobody wants a gradient.
  var isData = false
  /// Whose time steps its rows are.
  var axis = TimeAxis.stream
}

/// Where a reader of a signal leaves its part of the signal's gradient.
///
/// Backward passes run in reverse order, so the reader that was registered last writes and all others add: a reader
/// more costs the others nothing. A module that reads a signal twice serves the later sink first.
struct Sink {
  /// The signal's gradient. [T B, C]
  let gradient: Matrix
  /// Whether other readers have left their parts there, to which this one is added.
  let adds: Bool
  /// Memory of the gradient's shape, where `adds`.
  let scratch: Matrix

  /// A part that is there already, in the first rows.
  func add(_ part: Matrix) {
    let gradient = gradient.prefix(part.rows)
    if adds { gradient.add(part) } else { gradient.copy(from: part) }
  }

  /// The part of a reader that multiplies some rows of the signal by weight^T [N, C]: dy weight. dy [rows, N]
  func write(_ dy: Matrix, times weight: Matrix, rows: Range<Int>, _ products: MatrixProducts) {
    products.inputGradient(dy, weight, into: gradient.rows(rows), accumulate: adds)
  }

  /// The part of a reader that can only write, in the first `rows` rows.
  func write(rows: Int, _ body: (Matrix) -> Void) {
    let gradient = gradient.prefix(rows)
    guard adds else { return body(gradient) }
    let part = scratch.prefix(rows)
    body(part)
    gradient.add(part)
  }
}
