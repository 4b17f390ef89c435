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
}

/// Where a dataset's content comes from.
public struct DatasetOrigin: Sendable, Equatable {
  /// The command that made it.
  public let command: String
  /// The files that it was made from, as they were named, with their sizes in bytes; none where it was generated.
  public let files: [(name: String, bytes: Int)]

  /// An origin in these files.
  public init(command: String, files: [(name: String, bytes: Int)] = []) {
    self.command = command
    self.files = files
  }

  /// Whether both are the same.
  public static func == (a: DatasetOrigin, b: DatasetOrigin) -> Bool {
    a.command == b.command && a.files.elementsEqual(b.files, by: ==)
  }
}

/// A part of a dataset for one use: a range of the token axis. Streams that cross its ends are cut there.
public struct DatasetSplit: Sendable, Equatable {
  /// `train`, `validation` or `test`.
  public let name: String
  /// Its streams.
  public let streams: StreamTable
  /// The entropy of what generated the text, in nats a target: no model's loss can be lower, but for chance; nil
  /// where it is not known.
  public let floor: Double?
}

/// The SHA-256 over a dataset's content: its values as they are stored, then its offsets, splits and vocabulary.
struct Fingerprint {
  private var hash = SHA256()
  private var count = 0

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
