/// A part of a chunk on one lane: successive pairs of one stream.
package struct Piece: Sendable, Equatable {
  /// The steps of the chunk in which they are played.
  package let steps: Range<Int>
  /// The stream's number in the split.
  package let stream: Int
  /// How many of the stream's pairs lie before.
  package let offset: Int
  /// The first input's position; the targets lie as far ahead as the horizon.
  package let start: Int
  /// Whether the lane's state is reset before the first of the steps.
  package let resets: Bool
  /// Whether the pairs count, rather than only lead in to those that do.
  package let counts: Bool

  /// These pairs of a stream.
  package init(steps: Range<Int>, stream: Int, offset: Int, start: Int, resets: Bool, counts: Bool = true) {
    self.steps = steps
    self.stream = stream
    self.offset = offset
    self.start = start
    self.resets = resets
    self.counts = counts
  }

  /// What of it is played in some steps of the chunk, which are counted from 0 in it; nil where that is nothing.
  func part(in steps: Range<Int>) -> Piece? {
    let common = self.steps.clamped(to: steps)
    guard !common.isEmpty else { return nil }
    let before = common.lowerBound - self.steps.lowerBound
    return Piece(
      steps: common.lowerBound - steps.lowerBound..<common.upperBound - steps.lowerBound, stream: stream,
      offset: offset + before, start: start + before, resets: resets && before == 0, counts: counts)
  }
}
