import Chunks
import HDF5
import Sequences
import TestSupport
import Testing

/// Imports data from files of these contents, written to a directory of its own, and shows `body` what was made.
///
/// - Parameter make: Makes the importer, told the path of a file by its name.
func imported(
  _ files: [String: String], _ make: (_ path: (String) -> String) throws -> any DatasetImport,
  _ body: (SequenceDataset, _ remarks: [String]) throws -> Void
) throws {
  try withTemporaryDirectory { (directory: String) throws -> Void in
    for (name, text) in files { try writeBytes(text.utf8, to: "\(directory)/\(name)") }
    let before = try directoryEntries(directory)
    do {
      let remarks = try make { "\(directory)/\($0)" }.run(output: "\(directory)/d.h5", command: "a test")
      let dataset = try SequenceDataset("\(directory)/d.h5")
      try dataset.verify()
      try body(dataset, remarks)
    } catch {
      if try !directoryEntries(directory).contains("d.h5") {
        // Nothing is left of an import that failed.
        #expect(try directoryEntries(directory) == before)
      }
      throw error
    }
  }
}

/// Expects that the import fails with a message that has this in it.
func expectRefusal(
  _ files: [String: String], _ message: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ make: (_ path: (String) -> String) throws -> any DatasetImport
) throws {
  let error = #expect(throws: (any Error).self, sourceLocation: sourceLocation) {
    try imported(files, make) { _, _ in }
  }
  #expect(
    "\(error.map { "\($0)" } ?? "")".contains(message), "\(error as Any)", sourceLocation: sourceLocation)
}

extension SequenceDataset {
  /// All tokens of a track, or of `initial`.
  func tokens(_ role: TrackRole) throws -> [Int32] { try readTokens(role, rows: rows(role)) }

  /// All numbers of a track, in the data's units.
  func frames(_ role: TrackRole) throws -> [Float] { try readFrames(role, rows: rows(role)) }

  private func rows(_ role: TrackRole) -> Range<Int> {
    role == .initial ? 0..<streams.count : streams.tokens
  }

  /// The columns of a track of frames.
  func columns(_ role: TrackRole) throws -> FrameColumns {
    guard case .frames(let columns) = description.stored[role] else {
      throw DataError("the track \(role) is none of frames")
    }
    return columns
  }

  /// The spellings of a track of tokens.
  func spellings(_ role: TrackRole) throws -> [String] {
    guard case .tokens(let vocabulary) = description.stored[role] else {
      throw DataError("the track \(role) is none of tokens")
    }
    return vocabulary.spellings
  }

  /// The weights of positions, as the file has them.
  func positionWeights() throws -> [Float] { try File.open(path).dataset("weights").readArray() }

  /// Where each split begins and ends.
  var ends: [String: Range<Int>] {
    Dictionary(uniqueKeysWithValues: splits.map { ($0.name, $0.streams.tokens) })
  }
}
