/// A part of a chunk on one lane: successive pairs of one stream.
public struct Piece: Sendable, Equatable {
  /// The steps of the chunk in which they are played.
  public let steps: Range<Int>
  /// The stream's number in the split.
  public let stream: Int
  /// How many of the stream's pairs lie before.
  public let offset: Int
  /// The first input's place on the axis of tokens; the targets lie one further.
  public let start: Int
  /// Whether the lane's state is reset before the first of the steps.
  public let resets: Bool
  /// Whether the pairs count, rather than only lead in to those that do.
  public let counts: Bool

  /// These pairs of a stream.
  public init(steps: Range<Int>, stream: Int, offset: Int, start: Int, resets: Bool, counts: Bool = true) {
    self.steps = steps
    self.stream = stream
    self.offset = offset
    self.start = start
    self.resets = resets
    self.counts = counts
  }
}
