import FileSystem
import Preconditions

/// How a split's streams are laid over the lanes.
package enum ScheduleMode: String, Sendable, CaseIterable {
  /// Pairs whole, other streams packed where it fits (see `Schedule`), otherwise contiguous.
  case auto
  /// The pairs in their natural order, cut into one part for each lane.
  case contiguous
  /// Whole streams, one after another on each lane.
  case packed
  /// One whole stream a lane and chunk.
  case whole
}

extension ScheduleMode {
  /// The mode for these streams, as far as it follows from what they are: pairs are played whole unless another mode is
  /// asked for.
  package func forStreams(_ streams: StreamTable) -> ScheduleMode {
    self == .auto && streams.arePairs ? .whole : self
  }
}

/// What a split is traversed for.
package enum Traversal: Sendable, Equatable {
  /// Contiguous lanes are of equal length, which drops up to lanes - 1 pairs at the end; packed streams are shuffled
  /// anew for every epoch.
  case training(seed: UInt64)
  /// Every pair counts exactly once, in natural order.
  case evaluation
}

/// Which pairs each lane plays in each chunk: a pure function of the split's offsets, the number of lanes, the chunk,
/// the mode, and for training the seed and the epoch. There is no rank in it.
///
/// A chunk is `chunk` steps of every lane, or fewer where streams are played whole. The number of chunks in an epoch is the
/// same for all lanes.
///
/// - Contiguous, with P pairs: lane l plays the pairs from l * (P / lanes) to (l + 1) * (P / lanes); for evaluation
///   the first P mod lanes lanes play one more. The state is reset where a stream begins, and where the lane begins; for
///   evaluation the lane then leads in with up to 256 pairs of the same stream that do not count, so that its own are
///   predicted from what came before them. (A model whose state begins at zero in every chunk has no use for that.)
/// - Packed: the streams, shuffled for training, are each placed whole on the lane that has the fewest pairs so far,
///   the lowest of equals. A lane plays its streams without padding between them, with a reset where each begins.
/// - Whole: every lane plays one stream a chunk, from its beginning to its end. Streams of like length share a chunk, whose
///   steps are one of few lengths (see `WholeLength`); for training both the streams of a length and the chunks are
///   shuffled. Pairs are only played so; those of a chunk are alike in the lengths of their sources, then in their own.
/// - A lane that has come to its end is padded: token 0, weight 0, state reset in every step, so that nothing
///   grows while it idles.
///
/// `auto` is packed for training where there are at least 4 streams with pairs for each lane and no stream is longer
/// than an eighth of a lane's share of the pairs: then lanes mix streams well and come to their ends close together.
/// For evaluation it is packed where there is a stream for each lane and none is longer than a lane's share: streams
/// are measured whole where that costs little.
package struct Schedule: Sendable {
  /// The most pairs that lead in.
  package static let leadIn = 256

  /// The split's streams.
  package let streams: StreamTable
  /// The lanes over all ranks.
  package let lanes: Int
  /// The steps in a chunk, T; where streams are played whole, those of the longest.
  package let chunk: Int
  /// `contiguous`, `packed` or `whole`: `auto` is resolved.
  package let mode: ScheduleMode
  /// The most steps of a chunk's source; 0 where streams are no pairs.
  package let sourceSteps: Int
  /// What the split is traversed for.
  package let traversal: Traversal
  /// The number of streams that have pairs.
  let playableStreams: Int

  /// - Parameters:
  ///   - chunk: The steps in a chunk; where streams are played whole, these decide.
  ///   - longest: The most steps of a stream that is played whole, and of its source.
  /// - Throws: `DataError` where training has not one full chunk for each lane on average, where packed or whole training
  ///   has fewer streams than lanes, where streams or their sources are longer than `longest`, where pairs would not be
  ///   played whole, or where there is no pair of input and target at all; it names what works.
  package init(
    streams: StreamTable, lanes: Int, chunk: Int, mode: ScheduleMode, traversal: Traversal,
    longest: Int = .max
  ) throws {
    precondition(lanes > 0 && chunk > 0, "a schedule needs at least one lane and one step")
    let mode = mode.forStreams(streams)
    guard mode == .whole || !streams.arePairs else {
      throw DataError(
        "the streams are pairs, which are only played whole; set data.mode whole, found \(mode)")
    }
    var playable = 0
    var (longestStream, longestSource) = (0, 0)
    var tooLong = 0
    for stream in 0..<streams.count {
      let pairs = streams.pairs(of: stream)
      let source = streams.arePairs ? streams.source(of: stream).count : 0
      playable += pairs > 0 ? 1 : 0
      tooLong += max(pairs, source) > longest ? 1 : 0
      longestStream = max(longestStream, pairs)
      longestSource = max(longestSource, source)
    }
    guard playable > 0 else {
      throw DataError(
        "no stream has the \(Wording.counted(streams.lookahead + 1, "position")) that make an input and its target"
      )
    }
    guard mode != .whole || tooLong == 0 else {
      throw DataError(
        "\(Wording.counted(tooLong, "stream")) of \(streams.count)\(streams.arePairs ? ", or their sources," : "") are longer "
          + "than data.longest \(longest), the longest with \(Wording.counted(max(longestStream, longestSource), "step")); set data.longest "
          + "higher, \(streams.arePairs ? "or leave out long pairs" : "cut the streams, or take data.mode packed")"
      )
    }
    self.streams = streams
    self.lanes = lanes
    self.chunk = mode == .whole ? WholeLength.rounded(up: longestStream) : chunk
    sourceSteps = streams.arePairs ? WholeLength.rounded(up: max(1, longestSource)) : 0
    self.traversal = traversal
    playableStreams = playable
    let share = streams.pairs / lanes
    let isPackable =
      traversal == .evaluation
      ? playable >= lanes && longestStream <= share : playable / lanes >= 4 && longestStream <= share / 8
    self.mode = mode == .auto ? (isPackable ? .packed : .contiguous) : mode
    guard case .training = traversal else { return }
    guard mode == .whole || share >= chunk else {
      let remedy =
        streams.pairs >= chunk
        ? "take at most \(Wording.counted(streams.pairs / chunk, "lane"))"
          + (share > 0 ? ", or a chunk of at most \(share)" : "")
        : "take a chunk of at most \(max(1, share))"
          + (share > 0 ? "" : ", and at most \(Wording.counted(streams.pairs, "lane"))")
      throw DataError(
        "\(Wording.counted(streams.pairs, "target")) can't fill \(Wording.counted(lanes, "lane")) of at least one chunk of \(chunk); \(remedy) "
          + "(training.lanes, training.chunk)"
      )
    }
    guard self.mode == .contiguous || playable >= lanes else {
      throw DataError(
        "\(Wording.counted(playable, "stream")) can't fill \(Wording.counted(lanes, "lane")) in \(self.mode) mode; take "
          + "\(streams.arePairs ? "" : "contiguous mode, or ")at most \(Wording.counted(playable, "lane")) (training.lanes)"
      )
    }
  }

  /// The bytes of the orders of streams and chunks that a walk keeps.
  package var orderByteCount: Int {
    let orders =
      switch (mode, traversal) {
      case (.packed, .training): 2 * playableStreams
      case (.whole, .training): 2 * playableStreams + wholeChunks
      case (.whole, .evaluation): playableStreams + wholeChunks
      default: 0
      }
    return orders * MemoryLayout<Int32>.stride
  }

  /// The number of chunks in an epoch, the same on all lanes. In packed mode every stream has to be placed to know it.
  package func chunks(inEpoch epoch: Int) -> Int {
    precondition(epoch >= 0, "epochs are numbered from 0")
    if mode == .whole { return wholeChunks }
    guard mode == .packed else { return contiguousChunks }
    var placement = Placement(self, epoch: epoch)
    placement.advance(to: .max) { _, _, _, _ in }
    return (placement.longest + chunk - 1) / chunk
  }

  /// A walk over the chunks of `lanes`, from a chunk of an epoch on; the number of chunks in it means the start of the
  /// next epoch.
  ///
  /// - Throws: `DataError` where there is no such chunk.
  package func walk(lanes: Range<Int>, epoch: Int = 0, chunk: Int = 0) throws -> ScheduleWalk {
    try ScheduleWalk(self, lanes: lanes, epoch: epoch, chunk: chunk)
  }
}
