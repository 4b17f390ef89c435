import Chunks
import Preconditions

/// What holds the values of streams, a row a position, of `initial` a row a stream.
package protocol StreamSource {
  /// Rows of a track of tokens.
  ///
  /// - Throws: `HDF5Error` or `DataError` where they can't be read, or are outside the vocabulary.
  func readTokens(_ role: TrackRole, rows: Range<Int>) throws -> [Int32]
  /// Rows of a track of frames in the data's units, one after another; otherwise as `readTokens`.
  func readFrames(_ role: TrackRole, rows: Range<Int>) throws -> [Float]
}

extension SequenceDataset: StreamSource {}

extension DatasetContent: StreamSource {
  package func readTokens(_ role: TrackRole, rows: Range<Int>) -> [Int32] {
    guard case .tokens(let tokens) = values[role] else { preconditionFailure("there are tokens") }
    return Array(tokens[rows])
  }

  package func readFrames(_ role: TrackRole, rows: Range<Int>) -> [Float] {
    guard case .frames(let frames) = values[role], let width = description.stored[role]?.width else {
      preconditionFailure("there are frames")
    }
    return Array(frames[rows.lowerBound * width..<rows.upperBound * width])
  }
}
