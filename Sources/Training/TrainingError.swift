/// A failure of training that a user can do something about.
public struct TrainingError: Error, CustomStringConvertible, Sendable, Equatable {
  /// What, where, expected, found, and what to do.
  public let description: String

  /// An error of this message.
  public init(_ description: String) {
    self.description = description
  }
}
