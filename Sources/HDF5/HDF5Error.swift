/// What went wrong with an HDF5 file, and where.
package struct HDF5Error: Error, CustomStringConvertible, Sendable {
  /// The file's path, as it was given.
  package let path: String
  /// The object's path inside the file; nil where it is the file itself that is at fault.
  package let object: String?
  /// What was expected, what was found and what to do.
  package let message: String

  /// An error about `object` of the file at `path`.
  package init(_ message: String, path: String, object: String? = nil) {
    self.path = path
    self.object = object
    self.message = message
  }

  /// `FILE: OBJECT: MESSAGE`.
  package var description: String {
    guard let object else { return "\(path): \(message)" }
    return "\(path): \(object): \(message)"
  }
}
