import Chunks
import Random
import Settings

/// A task of pairs: a picture of coloured shapes, and a sentence that says what stands where.
///
/// A picture is `side` x `side` regions of 3 x 3 pixels, row by row. A region's frame holds the red, green and blue of its
/// pixels, from 0 to 1, and its row and column, from 0 to 1. From 1 to `shapes` shapes stand in regions of their own; their number,
/// places, kinds and colours are all equally likely, and each has a brightness of its own. The sentence names them in reading
/// order, so that it follows from the picture. The dataset says from which region each of its words is read.
package struct GridCaptions: StreamTask {
  package static let name = "grid-captions"
  package static let abstract =
    "Pairs: a picture of coloured shapes, and a sentence that says what stands where."
  package static let sizes: [Setting<GridCaptions>] = [
    .streams, Setting("side", \.side, .within(2, 16), "Regions along a side of a picture"),
    Setting("shapes", \.shapes, .within(1, 4), "Most shapes of a picture"),
  ]
  package static let loss = StatedLoss.crossEntropy

  package var streams = 6000
  /// The regions along a side of a picture.
  package var side = 8
  /// The most shapes of a picture.
  package var shapes = 3

  package init() {}

  private static let colours: [(name: String, channels: [Float])] = [
    ("red", [1, 0, 0]), ("green", [0, 1, 0]), ("blue", [0, 0, 1]), ("yellow", [1, 1, 0]),
    ("white", [1, 1, 1]),
  ]
  private static let kinds: [(name: String, pixels: [Int])] = [
    ("square", [0, 1, 2, 3, 4, 5, 6, 7, 8]), ("cross", [1, 3, 4, 5, 7]), ("triangle", [1, 3, 4, 5, 6, 7, 8]),
  ]
  private static let columns =
    (0..<9).flatMap { pixel in ["red", "green", "blue"].map { "\($0) \(pixel)" } } + ["row", "column"]

  private var words: [String] {
    Self.colours.map(\.name) + Self.kinds.map(\.name) + ["row", "column", "and"] + (1...side).map { "\($0)" }
  }

  package var tracks: [TrackRole: TrackDescription] {
    get throws { [.input: .tokens(try Vocabulary(level: .word, spellings: words).withEnds())] }
  }
  package var sourceTrack: TrackDescription? {
    get throws { .frames(try FrameColumns(Self.columns, grid: FrameGrid(rows: side, columns: side))) }
  }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    let words = words
    let numbers = Dictionary(uniqueKeysWithValues: zip(words, Int32(0)...))
    return { random in
      var frames = emptyPicture
      var (caption, regions) = ([Int32](), [Int32]())
      for region in random.distinct(1 + random.below(shapes), below: side * side).sorted() {
        let colour = Self.colours[random.below(Self.colours.count)]
        let kind = Self.kinds[random.below(Self.kinds.count)]
        let brightness = Float(0.6 + 0.4 * random.uniform())
        for pixel in kind.pixels {
          let place = region * Self.columns.count + 3 * pixel
          for channel in 0..<3 { frames[place + channel] = brightness * colour.channels[channel] }
        }
        let phrase =
          (caption.isEmpty ? [] : ["and"])
          + [colour.name, kind.name, "row", "\(region / side + 1)", "column", "\(region % side + 1)"]
        caption += phrase.compactMap { numbers[$0] }
        regions += phrase.map { _ in Int32(region) }
      }
      return .pair(.frames(frames), caption, letters: words.count, alignment: regions)
    }
  }

  /// The frames of a picture without shapes.
  private var emptyPicture: [Float] {
    let dark = [Float](repeating: 0, count: Self.columns.count - 2)
    let last = Float(side - 1)
    return (0..<side * side).flatMap { region -> [Float] in
      let (row, column) = region.quotientAndRemainder(dividingBy: side)
      return dark + [Float(row) / last, Float(column) / last]
    }
  }
}
