import Crypto
import HDF5

/// What stands where in a dataset file.
enum DatasetFormat {
  static let format = FileFormat(
    kind: "dataset", version: 2, origin: "`seqtrain data import` makes datasets of text, tables and arrays")
  static let values = "values"
  static let offsets = "offsets"
  static let splits = "splits"
  static let vocabulary = "vocabulary"
  static let origin = "origin"
  static let originFiles = "origin/files"
  static let originSizes = "origin/sizes"
  static let weights = "weights"
  static let source = "source"
  static let alignment = "alignment"
  static let sourceOffsets = "source/offsets"
  static let floor = "entropy_floor"
  static let optimum = "optimal_loss"
  static let trivial = "trivial_loss"
  static let fingerprint = "fingerprint"
  static let fingerprintDescription = "fingerprint_description"
  static let level = "level"

  /// What this format has no place for, by the names that it would go by.
  static let otherTracks = ["frames", "labels", "targets"]

  /// Says in a file that it is a dataset of this format, and what its content's fingerprint is.
  static func seal(_ file: File, version: Int, fingerprint: String) throws {
    for name in seals + [fingerprintDescription] { try file.attributes.remove(name) }
    try format.mark(file, version: version)
    try file.attributes.set(self.fingerprint, fingerprint)
    try file.attributes.set(
      fingerprintDescription, version == 1 ? Fingerprint.description : TrackFingerprint.description)
  }

  /// The attributes that `seal` writes and that every dataset has.
  static let seals = ["kind", "format_version", fingerprint]
}

/// Where a dataset's content comes from.
package struct DatasetOrigin: Sendable, Equatable {
  /// The command that made it; nil where the file does not say.
  package let command: String?
  /// The files that it was made from, as they were named, with their sizes in bytes; none where it was generated.
  package let files: [(name: String, bytes: Int)]

  /// An origin in these files.
  package init(command: String?, files: [(name: String, bytes: Int)] = []) {
    self.command = command
    self.files = files
  }

  /// Whether both are the same.
  package static func == (a: DatasetOrigin, b: DatasetOrigin) -> Bool {
    a.command == b.command && a.files.elementsEqual(b.files, by: ==)
  }
}

/// A part of a dataset for one use: a range of positions. Streams that cross its ends are cut there.
package struct DatasetSplit: Sendable, Equatable {
  /// `train`, `validation` or `test`.
  package let name: String
  /// Its streams.
  package let streams: StreamTable
  /// The loss a target that no model can be below, except by chance: of text, the entropy of what generated it, in nats;
  /// nil where it is not known.
  package let floor: Double?
  /// The loss a target of the best prediction that ignores the input; nil where it is not known.
  package let trivial: Double?
}

/// The SHA-256 over a dataset's content: its values as they are stored, then its offsets, splits and vocabulary.
struct Fingerprint {
  private var hash = SHA256()
  private var count = 0

  /// How it is made, for those who make datasets by other means.
  static let description = """
    SHA-256, in hexadecimal, of: the values, little-endian; "\\nvalues COUNT TYPE\\noffsets COUNT\\n", with the type as NumPy \
    calls it (uint8 for bool); the offsets as little-endian int64; of each split, in their order on the axis of tokens, \
    "\\nsplit NAME FIRST END"; "\\nvocabulary LEVEL UNKNOWN COUNT\\n", UNKNOWN being -1 where there is no such token; of each \
    token "BYTES SPELLING\\n", the number of bytes of its UTF-8 and itself (U+0000 where it is empty); of subwords also \
    "sentencepiece BYTES\\n" and the bytes of their model
    """

  /// Takes the next values, in their stored type, little-endian.
  mutating func update<T: Storable & FixedWidthInteger>(_ values: UnsafeBufferPointer<T>) {
    count += values.count
    hash.update(bufferPointer: UnsafeRawBufferPointer(values))
  }

  /// The digest in hexadecimal, once all values have been taken.
  func digest(
    type: ElementType, offsets: some RandomAccessCollection<Int>, splits: [(name: String, range: Range<Int>)],
    vocabulary: Vocabulary
  ) -> String {
    var hash = hash
    hash.update("\nvalues \(count) \(type)\n")
    hash.update(offsets: offsets, splits: splits)
    hash.update(vocabulary)
    return hash.finalize().hexadecimal
  }
}

/// The SHA-256 over the content of a dataset of tracks, whatever the types in which they are stored.
struct TrackFingerprint {
  private var hash = SHA256()

  /// How it is made, for those who make datasets by other means.
  static let description = """
    SHA-256, in hexadecimal, of: "horizon H"; of input, target, weight and initial, where the file has them, "\\ntrack NAME \
    COUNT" with the number of values, for tokens "\\nvocabulary LEVEL UNKNOWN COUNT\\n", UNKNOWN being -1 where there is no such \
    token (with begin and end tokens COUNT is followed by " BEGIN END"), and of each token "BYTES SPELLING\\n", the number of bytes of its UTF-8 and itself (U+0000 where it is empty), \
    then for subwords "sentencepiece BYTES\\n" and the bytes of their model, for \
    frames "\\nframes WIDTH BINARY\\n", BINARY being 0 or 1 (with a grid followed by " ROWS \
    COLUMNS"), of each column "BYTES NAME\\nBYTES UNIT\\n", and means and scales as \
    float32, then for both the values as int32 or float32; of weights, where there are any, "\\nweights COUNT\\n" and the \
    values as float32; of pairs, their sources as a track named source, "\\nsource offsets COUNT\\n" and the sources' offsets as \
    int64; "\\noffsets COUNT\\n" and the offsets as int64; of each split, in their order on the axis of positions, \
    "\\nsplit NAME FIRST END". All numbers are little-endian
    """

  init(horizon: Int) { hash.update("horizon \(horizon)") }

  /// Begins a track of so many values, which follow.
  mutating func begin(_ name: String, _ track: TrackDescription, count: Int) {
    hash.update("\ntrack \(name) \(count)")
    switch track {
    case .tokens(let vocabulary): hash.update(vocabulary)
    case .frames(let columns):
      let grid = columns.grid.map { " \($0.rows) \($0.columns)" } ?? ""
      hash.update("\nframes \(columns.width) \(columns.isBinary ? 1 : 0)\(grid)\n")
      for (name, unit) in zip(columns.names, columns.units) {
        hash.update("\(name.utf8.count) \(name)\n\(unit.utf8.count) \(unit)\n")
      }
      for values in [columns.means, columns.scales] {
        values.withUnsafeBytes { hash.update(bufferPointer: $0) }
      }
    }
  }

  /// Begins the weights of so many positions, which follow.
  mutating func beginWeights(count: Int) { hash.update("\nweights \(count)\n") }

  /// Takes the offsets of the sources of pairs, behind their values.
  mutating func update(sourceOffsets offsets: some RandomAccessCollection<Int>) {
    hash.update("\nsource ")
    hash.update(offsets: offsets)
  }

  /// Takes the next values, as int32 or float32.
  mutating func update(_ values: UnsafeRawBufferPointer) { hash.update(bufferPointer: values) }

  /// The digest in hexadecimal, once all values have been taken.
  mutating func digest(
    offsets: some RandomAccessCollection<Int>, splits: [(name: String, range: Range<Int>)]
  ) -> String {
    hash.update("\n")
    hash.update(offsets: offsets, splits: splits)
    return hash.finalize().hexadecimal
  }
}

// Every part is preceded by its kind and size, so that no two contents run together to the same bytes.
extension SHA256 {
  fileprivate mutating func update(_ text: String) { update(data: Array(text.utf8)) }

  fileprivate mutating func update(
    offsets: some RandomAccessCollection<Int>, splits: [(name: String, range: Range<Int>)]
  ) {
    update(offsets: offsets)
    for (name, range) in splits.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      update("\nsplit \(name) \(range.lowerBound) \(range.upperBound)")
    }
  }

  fileprivate mutating func update(offsets: some RandomAccessCollection<Int>) {
    update("offsets \(offsets.count)\n")
    var rest = offsets[...]
    while !rest.isEmpty {
      Array(rest.prefix(1 << 16)).withUnsafeBytes { update(bufferPointer: $0) }
      rest = rest.dropFirst(1 << 16)
    }
  }

  fileprivate mutating func update(_ vocabulary: Vocabulary) {
    let ends = vocabulary.ends.map { " \($0.begin) \($0.end)" } ?? ""
    update("\nvocabulary \(vocabulary.level) \(vocabulary.unknown ?? -1) \(vocabulary.count)\(ends)\n")
    for spelling in vocabulary.spellings { update("\(spelling.utf8.count) \(spelling)\n") }
    guard let model = vocabulary.subwords?.serialized else { return }
    update("sentencepiece \(model.count)\n")
    update(data: model)
  }
}
