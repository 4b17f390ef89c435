import Evaluation
import FileSystem
import HDF5
import Reports
import Training

/// Where a translation writes what the model attended to.
struct AttentionOutput {
  /// The file, whose name ends in .json or .h5; nil for none.
  let alignmentPath: String?
  /// The directory for pictures; nil for none.
  let picturesPath: String?

  /// Whether anything is written.
  var isWanted: Bool { alignmentPath != nil || picturesPath != nil }

  /// Checks that it can be written, before the work.
  ///
  /// - Throws: `FileError` where it can't be, or something is there already.
  func check() throws {
    if let alignmentPath { try Files.requirePlace(for: alignmentPath, existing: .refuse) }
    guard let picturesPath else { return }
    guard Files.exists(picturesPath) else {
      return try Files.requirePlace(for: picturesPath, existing: .refuse)
    }
    guard Files.isDirectory(picturesPath), try Files.names(in: picturesPath).isEmpty else {
      throw FileError(
        picturesPath,
        problem: "already exists, and is no empty directory; choose another name for the pictures")
    }
  }

  /// Makes the file, and lends it to `body`.
  ///
  /// - Throws: `FileError` or `HDF5Error` where it can't be written; what `body` throws.
  func createAlignment(_ header: AlignmentHeader, _ body: (any AlignmentWriter) throws -> Void) throws {
    guard let path = alignmentPath else { return }
    if path.hasSuffix(".json") {
      try Files.createAtomically(path, existing: .refuse) { temporary in
        try body(try AlignmentText(temporary, named: path, header))
      } verify: { _ in
      }
    } else {
      try File.createAtomically(path, existing: .refuse) { try body(try AlignmentArrays($0, header)) }
    }
  }

  /// Writes a target, to the file that was lent, and as a picture named for the number of its source.
  ///
  /// - Throws: `FileError` or `HDF5Error` where it can't be written.
  func write(
    _ target: AttendedTarget, _ header: AlignmentHeader, _ alignments: (any AlignmentWriter)?
  ) throws {
    try alignments?.write(target)
    guard let picturesPath else { return }
    try Files.makeDirectory(picturesPath)
    let digits = String(target.number)
    let name = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    try Files.create(
      "\(picturesPath)/\(name).svg", of: Array(AttentionPicture(target, header).text.utf8), existing: .refuse)
  }
}
