import CSupport
import Preconditions

/// Where the streams of a split begin and end on the axis of positions.
///
/// Where targets lie `lookahead` positions ahead of their inputs, a stream of n positions has n - lookahead pairs of an
/// input and its target, or none: no target crosses streams. The pairs of all streams, one stream after the other, are
/// numbered from 0.
///
/// Where streams are pairs, each has a source, which lies on an axis of its own.
///
/// The tables of a dataset's splits share one array of 4 bytes a stream, and one for the sources.
package struct StreamTable: Sendable {
  private let places: StreamOffsets
  /// Where the source of each stream begins, by the numbers in `places`, and the end of the last; nil where streams are
  /// no pairs.
  private let sources: StreamOffsets?
  /// The number in `places` of the table's first stream.
  private let first: Int
  /// The number of streams.
  package let count: Int
  /// The positions that the streams cover.
  package let tokens: Range<Int>
  /// How many positions ahead of its input a target lies: 1 where the next token is predicted, 0 for labels.
  package let lookahead: Int
  /// The number of each stream's first pair, and of all pairs, where it doesn't follow from the offsets because streams
  /// may be shorter than the lookahead.
  private let firstPairs: [Int]?

  /// The streams between `offsets`: the first position of each, and the end of the last; of pairs their sources lie
  /// between `sources`.
  ///
  /// - Throws: `DataError` unless each is larger than the one before, where there is no stream, and where the sources
  ///   are not as many, or don't begin at 0.
  package init(offsets: [Int], sources: [Int]? = nil, lookahead: Int = 1) throws {
    try self.init(
      StreamOffsets(offsets), sources: sources.map { try StreamOffsets($0) }, lookahead: lookahead)
  }

  /// The streams between these offsets.
  ///
  /// - Throws: `DataError` where there is no stream, and where the sources are not as many, or don't begin at 0.
  init(_ places: StreamOffsets, sources: StreamOffsets?, lookahead: Int) throws {
    guard places.count > 1 else { throw DataError("there are no streams") }
    if let sources, sources.count != places.count || sources[0] != 0 {
      throw DataError(
        "there are \(places.count - 1) streams, but \(max(0, sources.count - 1)) sources"
          + "\(sources.count > 0 && sources[0] != 0 ? ", the first from position \(sources[0])" : ""); expected one a stream, "
          + "the first from position 0")
    }
    self.init(
      places, sources: sources, first: 0, count: places.count - 1,
      tokens: places[0]..<places[places.count - 1],
      lookahead: lookahead)
  }

  private init(
    _ places: StreamOffsets, sources: StreamOffsets?, first: Int, count: Int, tokens: Range<Int>,
    lookahead: Int
  ) {
    self.places = places
    self.sources = sources
    self.first = first
    self.count = count
    self.tokens = tokens
    self.lookahead = lookahead
    guard lookahead > 1 else {
      firstPairs = nil
      return
    }
    var sums = [0]
    sums.reserveCapacity(count + 1)
    var start = tokens.lowerBound
    for stream in 0..<count {
      let end = min(max(places[first + stream + 1], tokens.lowerBound), tokens.upperBound)
      sums.append(sums[stream] + max(0, end - start - lookahead))
      start = end
    }
    firstPairs = sums
  }

  /// The streams inside a range of tokens that is not empty, those that cross its ends cut there.
  package func cut(to range: Range<Int>) -> StreamTable {
    precondition(
      !range.isEmpty && tokens.contains(range.lowerBound) && range.upperBound <= tokens.upperBound,
      "a cut lies within the tokens")
    let numbers = 0..<count + 1
    let start = numbers.partitioningIndex { offset($0) > range.lowerBound } - 1
    let end = numbers.partitioningIndex { offset($0) >= range.upperBound }
    return StreamTable(
      places, sources: sources, first: first + start, count: end - start, tokens: range, lookahead: lookahead)
  }

  /// The number in the dataset of the stream with this number here.
  package func number(of stream: Int) -> Int { first + stream }

  /// The first position of stream number `stream`; of `count`, the end of the last.
  @inline(__always)
  package func offset(_ stream: Int) -> Int {
    min(max(places[first + stream], tokens.lowerBound), tokens.upperBound)
  }

  /// Has the processor fetch the offsets of `stream`, which are asked for soon.
  @inline(__always)
  func prefetch(_ stream: Int) { places.prefetch(first + stream) }

  /// The first position of each stream, and the end of the last: count + 1 numbers, each larger than the one before.
  package var offsets: LazyMapCollection<Range<Int>, Int> { (0..<count + 1).lazy.map(offset) }

  /// The pairs of all streams.
  package var pairs: Int { firstPair(of: count) }

  /// The pairs of `stream`.
  @inline(__always)
  package func pairs(of stream: Int) -> Int { max(0, offset(stream + 1) - offset(stream) - lookahead) }

  /// The number of the first pair of `stream`; of `count`, the number of all pairs.
  package func firstPair(of stream: Int) -> Int {
    // Every stream has a position.
    firstPairs?[stream] ?? offset(stream) - tokens.lowerBound - stream * lookahead
  }

  /// The stream that holds the pair of number `pair`.
  func stream(ofPair pair: Int) -> Int {
    // The last stream whose first pair is not behind it: streams without pairs share their number with the next.
    (0..<count).partitioningIndex { firstPair(of: $0) > pair } - 1
  }
}

extension StreamTable {
  /// Whether each stream has a source.
  package var arePairs: Bool { sources != nil }

  /// Where the source of `stream` lies on the axis of sources; of pairs only.
  package func source(of stream: Int) -> Range<Int> { sources(of: stream..<stream + 1) }

  /// Where the sources of some streams lie, one behind another; of pairs only.
  package func sources(of streams: Range<Int>) -> Range<Int> {
    guard let sources else { preconditionFailure("streams that are no pairs have no sources") }
    return sources[first + streams.lowerBound]..<sources[first + streams.upperBound]
  }

  /// The first position of each source, and the end of the last; of pairs only.
  var sourceOffsets: LazyMapCollection<Range<Int>, Int> {
    (0..<count + 1).lazy.map { sources(of: 0..<$0).upperBound }
  }

  /// Throws where the streams of a split are pairs, of which it cuts one in two.
  func requireWholePairs(split name: String) throws {
    guard arePairs, places[first] < tokens.lowerBound || tokens.upperBound < places[first + count] else {
      return
    }
    throw DataError(
      "split \(name) cuts a pair in two; let it begin where a stream begins, and end where one ends")
  }
}

extension StreamTable: Equatable {
  /// Whether both have the same streams, whatever else their datasets hold.
  package static func == (a: StreamTable, b: StreamTable) -> Bool {
    a.lookahead == b.lookahead && a.offsets.elementsEqual(b.offsets) && a.arePairs == b.arePairs
      && (!a.arePairs || a.sourceOffsets.elementsEqual(b.sourceOffsets))
  }
}

/// Ascending offsets on the axis of positions, in 4 bytes each.
struct StreamOffsets: Sendable {
  /// The lower halves.
  private var low: [UInt32] = []
  /// The upper halves other than 0, each with the number of the first offset that has it.
  private var upper: [(first: Int, half: Int)] = []
  private var last = -1

  /// No offsets, and room for so many.
  init(capacity: Int) { low.reserveCapacity(capacity) }

  /// These offsets.
  ///
  /// - Throws: `DataError` unless each is larger than the one before, and where there are too many.
  init(_ offsets: [Int]) throws {
    self.init(capacity: offsets.count)
    try offsets.withUnsafeBufferPointer { try append($0) }
  }

  var count: Int { low.count }

  @inline(__always)
  subscript(_ number: Int) -> Int {
    let low = Int(low[number])
    return upper.isEmpty ? low : low + upperHalf(of: number) << 32
  }

  @inline(__always)
  func prefetch(_ number: Int) {
    low.withUnsafeBufferPointer { st_prefetch($0.baseAddress.map { $0 + number }) }
  }

  @inline(never)
  private func upperHalf(of number: Int) -> Int {
    let next = upper.partitioningIndex { upper[$0].first > number }
    return next > 0 ? upper[next - 1].half : 0
  }

  /// Adds the next offsets.
  ///
  /// - Throws: `DataError` unless each is larger than the one before, and where there are too many.
  mutating func append(_ offsets: UnsafeBufferPointer<Int>) throws {
    for offset in offsets {
      guard offset > last else {
        throw low.isEmpty
          ? DataError("stream 0 begins at token \(offset)")
          : DataError(
            "offsets must ascend, but stream \(low.count - 1) goes from token \(last) to token \(offset)")
      }
      if offset >> 32 > max(last, 0) >> 32 { upper.append((low.count, offset >> 32)) }
      low.append(UInt32(truncatingIfNeeded: offset))
      last = offset
    }
    guard low.count <= Int32.max else {
      throw DataError("there are more streams than the \(Int32.max - 1) that can be counted")
    }
  }
}

extension RandomAccessCollection where Index == Int {
  /// The first index at which `belongs` holds, where it holds from some index on: a binary search.
  func partitioningIndex(_ belongs: (Int) -> Bool) -> Int {
    var low = startIndex
    var high = endIndex
    while low < high {
      let middle = low + (high - low) / 2
      if belongs(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
