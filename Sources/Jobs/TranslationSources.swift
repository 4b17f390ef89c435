import Chunks
import Evaluation
import MPI
import Sequences
import Training

/// Where the sources of a translation come from.
package enum TranslationInput: Sendable {
  /// The lines of a text; `-` for standard input.
  case text(String)
  /// Those of the pairs of a dataset, or of one of its splits; the targets are not looked at.
  case dataset(String, split: String?)
}

/// The sources of a translation, in their order.
struct TranslationSources {
  let count: Int
  /// The most positions of one of them.
  let longest: Int
  /// Those of a range of numbers, as the model reads them.
  let read: (Range<Int>) throws -> [StreamValues]

  /// The sources that `input` names.
  ///
  /// - Throws: `TrainingError` where the model reads others; `DataError`, `FileError` or `HDF5Error` where they can't be
  ///   read, or have tokens that the vocabulary has not.
  init(_ input: TranslationInput, for trained: TrainedModel, source: TrackDescription) throws {
    switch input {
    case .text(let name): try self.init(text: name, for: trained, source)
    case .dataset(let path, let split): try self.init(dataset: path, split, for: trained, source)
    }
  }

  private init(text name: String, for trained: TrainedModel, _ source: TrackDescription) throws {
    guard case .tokens(let vocabulary) = source else {
      throw TrainingError(
        "\(trained.path): the model reads \(source.text), which lines of text are not; name a dataset of sources by --data"
      )
    }
    let lines = try vocabulary.encodeLines(of: TextSource.named(name))
    count = lines.count
    longest = lines.reduce(1) { max($0, $1.count) }
    read = { lines[$0].map { .tokens($0) } }
  }

  private init(
    dataset path: String, _ split: String?, for trained: TrainedModel, _ source: TrackDescription
  ) throws {
    let dataset = try SequenceDataset(path)
    guard let found = dataset.description.source else {
      throw TrainingError(
        "\(path): its streams are no pairs, so there are no sources in it; name a dataset of pairs")
    }
    let differences = found.differences(from: source)
    guard differences.isEmpty else {
      throw TrainingError(
        "\(path): not sources such as the model reads: \(differences.joined(separator: "; ")); name a dataset of the same "
          + "sources")
    }
    let streams = try split.map { try dataset.split($0).streams } ?? dataset.streams
    count = streams.count
    longest = (0..<streams.count).reduce(1) { max($0, streams.source(of: $1).count) }
    read = { numbers in
      try numbers.map { number in
        let rows = streams.source(of: number)
        return try StreamValues(
          source, tokens: { try dataset.readSourceTokens(rows: rows) },
          frames: { try dataset.readSourceFrames(rows: rows) })
      }
    }
  }
}

extension Communicator {
  /// The sources that rank 0 gives, on all ranks. Collective.
  func broadcast(_ sources: [StreamValues], of kind: TrackKind) throws -> [StreamValues] {
    let counts = try broadcast(sources.map(\.count))
    func parts<Value: MPIDatatype>(_ values: [Value], width: Int) throws -> [[Value]] {
      var rest = try broadcast(values)[...]
      return counts.map { count in
        defer { rest = rest.dropFirst(count * width) }
        return Array(rest.prefix(count * width))
      }
    }
    switch kind {
    case .tokens:
      let tokens = sources.flatMap { if case .tokens(let tokens) = $0 { tokens } else { [Int32]() } }
      return try parts(tokens, width: 1).map { .tokens($0) }
    case .frames(let width):
      let frames = sources.flatMap { if case .frames(let frames, _) = $0 { frames } else { [Float]() } }
      return try parts(frames, width: width).map { .frames($0, width: width) }
    }
  }
}
