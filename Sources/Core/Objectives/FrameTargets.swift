import Chunks
import Preconditions

/// The frames of a target, with their unit weights where the data have them, as the objectives of frames read them.
struct FrameTargets {
  /// D, the units.
  let width: Int
  /// The weight of each position times the mean weight of its units, where units have weights. [T B]
  private let weights: Buffer<Float>

  /// The targets of a builder's tracks, which are frames.
  init(_ builder: Builder) {
    guard case .frames(let width) = builder.tracks[.target] else {
      preconditionFailure("the targets of this objective are frames")
    }
    self.width = width
    weights = Buffer(count: builder.tracks[.weight] == nil ? 0 : builder.shape.rows)
  }

  /// The targets of a row and of those behind it.
  func values(_ chunk: Chunk, from row: Int) -> UnsafePointer<Float> {
    UnsafePointer(chunk.frames(.target)[row])
  }

  /// The weights of the units of a row and of those behind it; nil where all count the same.
  func unitWeights(_ chunk: Chunk, from row: Int) -> UnsafePointer<Float>? {
    chunk.unitWeights.map { UnsafePointer($0[row]) }
  }

  /// What a mean over units is an average over: the weight of each position, times the mean weight of its units.
  func weighByUnits(_ chunk: Chunk) -> UnsafePointer<Float> {
    guard let units = chunk.unitWeights else { return UnsafePointer(chunk.weights) }
    for position in 0..<chunk.rows {
      var sum = Float(0)
      for unit in 0..<width { sum += units[position][unit] }
      weights.base[position] = chunk.weights[position] * (sum / Float(width))
    }
    return UnsafePointer(weights.base)
  }
}
