import Chunks
import Sequences

/// What a model reads at a position.
enum PositionValue {
  case token(Int32)
  case frame(ArraySlice<Float>)

  /// Writes it to a row of a chunk's track.
  func write(to chunk: Chunk, _ role: TrackRole, row: Int) {
    switch self {
    case .token(let token): chunk.tokens(role)[row] = token
    case .frame(let frame):
      for (column, value) in frame.enumerated() { chunk.frames(role)[row][column] = value }
    }
  }
}

/// What a model reads along a stream, or the source of a pair.
package enum StreamValues: Sendable, Equatable {
  case tokens([Int32])
  /// Normalised as the model has learnt to read them, row by row.
  case frames([Float], width: Int)

  /// What was read of a track, normalised.
  package init(
    _ track: TrackDescription, tokens: () throws -> [Int32], frames: () throws -> [Float]
  ) rethrows {
    switch track {
    case .tokens: self = .tokens(try tokens())
    case .frames(let columns):
      var frames = try frames()
      for index in frames.indices {
        frames[index] = columns.normalized(frames[index], column: index % columns.width)
      }
      self = .frames(frames, width: columns.width)
    }
  }

  /// The number of positions.
  package var count: Int {
    switch self {
    case .tokens(let tokens): tokens.count
    case .frames(let frames, let width): frames.count / width
    }
  }

  subscript(position: Int) -> PositionValue {
    switch self {
    case .tokens(let tokens): .token(tokens[position])
    case .frames(let frames, let width): .frame(frames[position * width..<(position + 1) * width])
    }
  }
}
