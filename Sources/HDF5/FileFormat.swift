/// A kind of file with its own format: what its attributes `kind` and `format_version` say.
package struct FileFormat: Sendable, Equatable {
  /// The value of the attribute `kind`.
  package let kind: String
  /// The newest version of the format that this program reads.
  package let version: Int
  /// What makes such a file, or where one is found: the advice where another is given.
  package let origin: String

  /// The format of this name and version.
  package init(kind: String, version: Int, origin: String) {
    self.kind = kind
    self.version = version
    self.origin = origin
  }

  /// Marks a new file as one of this format, in its newest version unless another is given.
  package func mark(_ file: File, version: Int? = nil) throws {
    let version = version ?? self.version
    try file.attributes.set("kind", kind)
    try file.attributes.set("format_version", version)
  }

  /// The version of the format in which `file` is written.
  ///
  /// - Throws: `HDF5Error` where it is of another kind, or newer than what this program reads.
  package func requireVersion(of file: File) throws -> Int {
    guard let found = try file.kind() else {
      throw file.error(
        "expected a file of kind \"\(kind)\", found an HDF5 file without the attribute \"kind\"; \(origin)")
    }
    guard found == kind else {
      throw file.error(
        "expected a file of kind \"\(kind)\", found one of kind \(found.debugDescription); \(origin)")
    }
    let written = try file.attributes.integer("format_version")
    guard written <= version else {
      throw file.error(
        "written in version \(written) of the format \"\(kind)\", and this program reads up to \(version); use the version "
          + "of the program that wrote it, or a newer one")
    }
    guard written > 0 else {
      throw file.error(
        "the attribute \"format_version\" is \(written), expected 1 or more; the file is damaged")
    }
    return written
  }
}

extension File {
  /// The value of the attribute `kind`, by which a file says what it is; nil where it has none.
  package func kind() throws -> String? {
    try attributes.contains("kind") ? try attributes.string("kind") : nil
  }
}
