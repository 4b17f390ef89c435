import Chunks

/// The way in which a layer goes through the time steps of a chunk.
enum Direction {
  case forward, reverse

  /// The name of a layer that is called `name` where it goes forward.
  func name(_ name: String) -> String { self == .forward ? name : "\(name).reverse" }

  /// The time of the k-th step.
  func time(ofStep k: Int, _ chunk: Chunk) -> Int { self == .forward ? k : chunk.steps - 1 - k }

  /// Whether a lane's state is reset before step t. In reverse every chunk begins anew, and a stream at its end.
  func isReset(_ t: Int, lane: Int, _ chunk: Chunk) -> Bool {
    self == .forward
      ? chunk.isReset(t, lane: lane) : t + 1 == chunk.steps || chunk.isReset(t + 1, lane: lane)
  }

  /// The row of the first step, lane 0, in time-major arrays.
  func firstRow(_ chunk: Chunk) -> Int { time(ofStep: 0, chunk) * chunk.lanes }

  /// The rows from each step to the next.
  func rowStep(_ chunk: Chunk) -> Int { self == .forward ? chunk.lanes : -chunk.lanes }
}
