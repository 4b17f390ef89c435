/// Settings that can't be used: what is wrong, where, and what would be right.
package struct ConfigurationError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The whole message.
  package let description: String

  /// An error of this message.
  package init(_ description: String) { self.description = description }
}
