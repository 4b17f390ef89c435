/// A failure of training that a user can do something about.
package struct TrainingError: Error, CustomStringConvertible, Sendable, Equatable {
  /// What, where, expected, found, and what to do.
  package let description: String

  /// An error of this message.
  package init(_ description: String) {
    self.description = description
  }
}
