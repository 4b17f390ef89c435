/// What is wrong with data, or with what was asked of them, and what to do about it.
package struct DataError: Error, CustomStringConvertible, Sendable, Equatable {
  /// One or two lines: where, what was expected, what was found, what to do.
  package let description: String

  /// An error described by `message`, which begins with the file's path where there is one.
  package init(_ message: String, path: String? = nil) {
    description = path.map { "\($0): \(message)" } ?? message
  }
}
