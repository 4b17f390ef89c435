import Crypto
import HDF5

/// What stands where in a dataset file.
enum DatasetFormat {
  static let format = FileFormat(
    kind: "dataset", version: 1, origin: "`seqtrain data import text` makes datasets of text")
  static let values = "values"
  static let offsets = "offsets"
  static let splits = "splits"
  static let vocabulary = "vocabulary"
  static let origin = "origin"
  static let originFiles = "origin/files"
  static let originSizes = "origin/sizes"
  static let floor = "entropy_floor"
  static let fingerprint = "fingerprint"
  static let fingerprintDescription = "fingerprint_description"
  static let level = "level"

  /// What this format has no place for yet, by the names that it would go by.
  static let otherTracks = ["frames", "labels", "source", "target", "targets", "weights"]

  /// Says in a file that it is a dataset of this format, and what its content's fingerprint is.
  static func seal(_ file: File, fingerprint: String) throws {
    for name in seals + [fingerprintDescription] { try file.attributes.remove(name) }
    try format.mark(file)
    try file.attributes.set(self.fingerprint, fingerprint)
    try file.attributes.set(fingerprintDescription, Fingerprint.description)
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

/// A part of a dataset for one use: a range of the token axis. Streams that cross its ends are cut there.
package struct DatasetSplit: Sendable, Equatable {
  /// `train`, `validation` or `test`.
  package let name: String
  /// Its streams.
  package let streams: StreamTable
  /// The entropy of what generated the text, in nats a target: no model's loss can be lower, except by chance; nil
  /// where it is not known.
  package let floor: Double?
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
    token "BYTES SPELLING\\n", the number of bytes of its UTF-8 and itself (U+0000 where it is empty)
    """

  /// Takes the next values, in their stored type, little-endian.
  mutating func update<T: Storable & FixedWidthInteger>(_ values: UnsafeBufferPointer<T>) {
    count += values.count
    hash.update(bufferPointer: UnsafeRawBufferPointer(values))
  }

  /// The digest in hexadecimal, once all values have been taken. Every part is preceded by its kind and size, so that
  /// no two contents run together to the same bytes.
  func digest(
    type: ElementType, offsets: some RandomAccessCollection<Int>, splits: [(name: String, range: Range<Int>)],
    vocabulary: Vocabulary
  ) -> String {
    var hash = hash
    func update(_ text: String) { hash.update(data: Array(text.utf8)) }
    update("\nvalues \(count) \(type)\noffsets \(offsets.count)\n")
    var rest = offsets[...]
    while !rest.isEmpty {
      Array(rest.prefix(1 << 16)).withUnsafeBytes { hash.update(bufferPointer: $0) }
      rest = rest.dropFirst(1 << 16)
    }
    for (name, range) in splits.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      update("\nsplit \(name) \(range.lowerBound) \(range.upperBound)")
    }
    update("\nvocabulary \(vocabulary.level) \(vocabulary.unknown ?? -1) \(vocabulary.count)\n")
    for spelling in vocabulary.spellings { update("\(spelling.utf8.count) \(spelling)\n") }
    return hash.finalize().hexadecimal
  }
}
