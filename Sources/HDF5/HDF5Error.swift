/// What went wrong with an HDF5 file, and where.
public struct HDF5Error: Error, CustomStringConvertible, Sendable {
  /// The file's path, as it was given.
  public let path: String
  /// The object's path inside the file; nil where it is the file itself that is at fault.
  public let object: String?
  /// What was expected, what was found and what to do.
  public let message: String

  /// An error about `object` of the file at `path`.
  public init(_ message: String, path: String, object: String? = nil) {
    self.path = path
    self.object = object
    self.message = message
  }

  /// `FILE: OBJECT: MESSAGE`.
  public var description: String {
    guard let object else { return "\(path): \(message)" }
    return "\(path): \(object): \(message)"
  }
}
