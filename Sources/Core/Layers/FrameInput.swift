import Chunks

/// The frames of a chunk as a signal.
final class FrameInput: Module {
  /// [T B, D]
  let output: Signal

  private let role: TrackRole

  /// The track with that role, of frames of `width` numbers.
  init(_ builder: Builder, role: TrackRole, width: Int) {
    self.role = role
    output = builder.data("\(role)", columns: width)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) { output.value.prefix(chunk.rows).copy(from: chunk.frames(role)) }

  func backward(_ chunk: Chunk) {}
}
