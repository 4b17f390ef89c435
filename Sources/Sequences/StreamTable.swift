/// Where the streams of a split begin and end on the axis of tokens.
///
/// A stream of n tokens has n - 1 pairs of an input token and the target that follows it: no target crosses streams.
/// The pairs of all streams, one stream after the other, are numbered from 0.
public struct StreamTable: Sendable, Equatable {
  /// The first token of each stream, and the end of the last: count + 1 numbers, each larger than the one before.
  public let offsets: [Int]

  /// The streams between `offsets`.
  ///
  /// - Throws: `DataError` where there is no stream, or one that is empty.
  public init(offsets: [Int]) throws {
    guard offsets.count > 1 else { throw DataError("there are no streams") }
    for stream in 0..<offsets.count - 1 where offsets[stream] >= offsets[stream + 1] {
      throw DataError(
        "offsets must ascend, but stream \(stream) goes from token \(offsets[stream]) to token \(offsets[stream + 1])"
      )
    }
    guard offsets.count <= Int32.max else {
      throw DataError("\(offsets.count - 1) streams are more than the \(Int32.max - 1) that can be counted")
    }
    guard offsets[0] >= 0 else { throw DataError("stream 0 begins at token \(offsets[0])") }
    self.offsets = offsets
  }

  /// The number of streams.
  public var count: Int { offsets.count - 1 }

  /// The range of the token axis that the streams cover.
  public var tokens: Range<Int> { offsets[0]..<offsets[count] }

  /// The pairs of all streams.
  public var pairs: Int { tokens.count - count }

  /// The pairs of `stream`.
  public func pairs(of stream: Int) -> Int { offsets[stream + 1] - offsets[stream] - 1 }

  /// The number of the first pair of `stream`; of `count`, the number of all pairs.
  public func firstPair(of stream: Int) -> Int { offsets[stream] - offsets[0] - stream }

  /// The stream that holds the pair of number `pair`.
  func stream(ofPair pair: Int) -> Int {
    // The last stream whose first pair is not behind it: streams without pairs share their number with the next.
    var low = 0
    var high = count
    while high - low > 1 {
      let middle = (low + high) / 2
      if firstPair(of: middle) <= pair { low = middle } else { high = middle }
    }
    return low
  }
}
