import Chunks
import FileSystem
import Preconditions

/// Makes a dataset of pairs of frames and text: sources are arrays in HDF5 files, such as the regions of pictures or the
/// frames of recordings, and the lines of a text are their targets.
package struct FramesToTextImport: DatasetImport {
  private let files: [String]
  private let plan: SplitPlan
  private let names: ArrayNames
  private let text: String
  private let grid: FrameGrid?
  private let vocabulary: VocabularyPlan
  private let missing: MissingInputs

  /// An import of these files.
  ///
  /// - Parameters:
  ///   - source: The array of frames.
  ///   - offsets: The array that says where each source begins, and where the last ends; nil where they follow from the
  ///     grid, or each file is one source.
  ///   - text: The file with a target in each line.
  ///   - grid: How the frames of each source lie, where it is a picture.
  ///   - minimumCount: Characters or words that occur less often in the training part become the unknown token; 2 where left
  ///     out.
  ///   - subwords: How subwords are chosen.
  ///   - missing: What becomes of numbers that are NaN.
  /// - Throws: `DataError` where the minimum count is less than 1, it or the plan for subwords is for other levels, or not
  ///   fractions of files are the parts.
  package init(
    _ parts: PartPlan, source: String, offsets: String? = nil, text: String, grid: FrameGrid? = nil,
    level: TokenLevel = .word, minimumCount: Int? = nil, subwords: SubwordPlan? = nil,
    missing: MissingInputs = .mask
  ) throws {
    guard case .fractions(let files, let plan) = parts else {
      throw DataError("sources and the lines of one text are divided by --split; leave other ways out")
    }
    (self.files, self.plan) = (files, plan)
    names = ArrayNames(inputs: source, offsets: offsets)
    self.text = text
    self.grid = grid
    vocabulary = try .withUnknown(level, minimumCount: minimumCount, subwords: subwords)
    self.missing = missing
  }

  package func content(
    command: String, keptIn directory: String, progress: @escaping (Double) -> Void
  ) throws -> (DatasetContent, remarks: [String]) {
    var arrays = ImportedArrays(names, part: nil)
    let sizes = try files.map { (name: $0, bytes: try arrays.read($0)) }
    let texts = try ImportedTexts(
      .files([[text]]), level: vocabulary.level, command: command, keptIn: directory, progress: progress)
    let offsets = try sourceOffsets(arrays)
    var lexicon = Lexicon(vocabulary.level)
    let (targets, sources) = try targets(of: texts, sources: offsets.count - 1, &lexicon)
    let kept = sources.map { offsets[$0]..<offsets[$0 + 1] }
    let (content, remarks) = try content(
      arrays.inputs.rows(kept.flatMap(\.self)).table,
      offsets: kept.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }, targets, lexicon,
      DatasetOrigin(command: command, files: sizes + texts.origin.files))
    let empty = offsets.count - 1 - kept.count
    return (
      content, remarks + (empty > 0 ? ["\(Wording.counted(empty, "pair")) left out: the line is empty"] : [])
    )
  }

  private func sourceOffsets(_ arrays: ImportedArrays) throws -> [Int] {
    guard let grid, names.offsets == nil else { return arrays.offsets }
    let (count, size) = (arrays.inputs.count, grid.rows * grid.columns)
    guard size > 0, count % size == 0 else {
      throw DataError(
        "\(names.inputs): has \(Wording.counted(count, "row")), expected a multiple of those of a grid of "
          + "\(grid.rows) x \(grid.columns)")
    }
    return Array(stride(from: 0, through: count, by: size))
  }

  /// The lines that are not empty, and the numbers of their sources.
  private func targets(
    of texts: ImportedTexts, sources: Int, _ lexicon: inout Lexicon
  ) throws -> (NumberedTexts, sources: [Int]) {
    var (targets, numbers, count) = (NumberedTexts(), [Int](), 0)
    for source in texts.groups.joined() {
      try texts.reader.readLines(source) { line, number in
        count = number
        let tokens = lexicon.tokens(of: line)
        guard !tokens.isEmpty else { return }
        targets.append(tokens)
        numbers.append(number - 1)
      }
    }
    guard count == sources else {
      throw DataError(
        "there are \(Wording.counted(count, "line")), but \(Wording.counted(sources, "source")) in \(names.inputs); expected a line "
          + "for each: \(count < sources ? "source" : "line") \(min(count, sources) + 1) has no partner",
        path: text)
    }
    guard !numbers.isEmpty else { throw texts.without("line of text") }
    return (targets, numbers)
  }

  private func content(
    _ table: NumberTable, offsets: [Int], _ targets: NumberedTexts, _ lexicon: Lexicon,
    _ origin: DatasetOrigin
  ) throws -> (DatasetContent, remarks: [String]) {
    let splits = try plan.splits(offsets: targets.targetOffsets)
    let training = targets.targets(at: splits[0].range)
    let normalization = try Normalization(
      table, training: offsets[training.lowerBound]..<offsets[training.upperBound])
    let frames = try PreparedTrack(input: table, normalization, missing, offsets: offsets)
    guard case .frames(let columns) = frames.description else {
      preconditionFailure("the track is of frames")
    }
    let vocabulary = try lexicon.vocabulary(targets[training], vocabulary).withEnds()
    let encoded = try lexicon.encode(targets, vocabulary)
    let content = DatasetContent(
      try DataDescription(
        [.input: .tokens(vocabulary)], horizon: 1,
        source: .frames(
          FrameColumns(
            columns.names, units: columns.units, means: columns.means, scales: columns.scales, grid: grid))),
      offsets: encoded.targetOffsets,
      splits: splits.moved(from: targets.targetOffsets, to: encoded.targetOffsets),
      values: [.input: encoded.targets(vocabulary)],
      source: (offsets, frames.values), origin: origin)
    return (content, normalization.remarks)
  }
}
