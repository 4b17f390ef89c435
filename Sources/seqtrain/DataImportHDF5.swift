import ArgumentParser
import Sequences

/// `seqtrain data import hdf5`
struct DataImportHDF5: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hdf5", abstract: "Makes a dataset from arrays in HDF5 files.",
    discussion: """
      Arrays are [N] or [N, D] for N positions, of any numeric type: integers are tokens, real numbers frames, NaN is \
      missing. Targets with a row for each stream are due at its end. A model sees each column of frames with the mean 0 and \
      the standard deviation 1 that it has in the training part. --source in place of --inputs makes pairs: frames, such as the \
      regions of pictures, and what a text says of them, line by line. Fractions of --split are counted in streams or, where there \
      is only one, in positions.
      """)

  @OptionGroup var parts: ImportedParts

  @Option(help: ArgumentHelp("What the model reads, such as /x.", valueName: "array"))
  var inputs: String?

  @Option(
    help: ArgumentHelp(
      "What it should say; the inputs --horizon further on where left out.", valueName: "array"))
  var targets: String?

  @Option(
    help: ArgumentHelp("How much each target counts, or each column of each.", valueName: "array"))
  var weights: String?

  @Option(
    help: ArgumentHelp(
      "Where each stream begins, and the end of the last; each file is one stream where left out.",
      valueName: "array"))
  var offsets: String?

  @Option(help: ArgumentHelp("What each stream begins with, a row a stream.", valueName: "array"))
  var initial: String?

  @Option(help: "How many positions ahead the target lies. (default: 0 with --targets, 1 without)")
  var horizon: Int?

  @Option(
    help:
      "What becomes of inputs that are NaN: the mean, with a column beside it that says so (mask) or without (zero), or the last value before it (forward)."
  )
  var missing = MissingInputs.mask

  @Option(help: "The number of tokens of the inputs. (default: as many as the largest tells)")
  var vocabularySize: Int?

  @Flag(help: "Frames in which all numbers are 0 or 1 stay as they are, integers too.")
  var binary = false

  @Option(
    help: ArgumentHelp(
      "In place of --split: the array that says of each stream or position train, validation or test (0, 1 or 2).",
      valueName: "array"))
  var splitName: String?

  @Option(
    help: ArgumentHelp("In place of --inputs: the frames that are sources of pairs.", valueName: "array"))
  var source: String?

  @Option(
    help: ArgumentHelp(
      "Where each source begins, and the end of the last. (default: what --grid says, or each file is one)",
      valueName: "array"))
  var sourceOffsets: String?

  @Option(
    help: ArgumentHelp("The text with a target in each line, for each source.", valueName: "file"),
    completion: .file())
  var targetText: String?

  @Option(
    help: ArgumentHelp(
      "The rows and columns of regions in which the frames of each source lie, row by row.", valueName: "HxW"),
    transform: grid)
  var grid: FrameGrid?

  @Option(help: "What a token of the targets is.")
  var level = TokenLevel.word

  @Option(
    help: """
      Words or characters of targets that occur less often in the training part become the unknown token. (default: 2)
      """)
  var minimumCount: Int?

  @OptionGroup var subwords: SubwordOptions

  func validate() throws {
    try require(
      inputs != nil || source != nil && targetText != nil,
      "name --inputs; or, for pairs, --source and --target-text")
    let ofPairs = [
      ("--source", source != nil), ("--source-offsets", sourceOffsets != nil),
      ("--target-text", targetText != nil), ("--grid", grid != nil),
    ]
    for (option, isGiven) in ofPairs where inputs != nil {
      try require(
        !isGiven, "\(option) is for pairs, whose sources stand in place of --inputs; give one of them")
    }
    let ofInputs = [
      ("--targets", targets != nil), ("--weights", weights != nil), ("--offsets", offsets != nil),
      ("--initial", initial != nil), ("--horizon", horizon != nil),
      ("--vocabulary-size", vocabularySize != nil), ("--binary", binary), ("--split-name", splitName != nil),
    ]
    for (option, isGiven) in ofInputs where inputs == nil {
      try require(!isGiven, "\(option) goes with --inputs, not with --source; leave it out")
    }
  }

  func run() throws {
    if let inputs {
      let arrays = ArrayNames(
        inputs: inputs, targets: targets, weights: weights, offsets: offsets, initial: initial)
      try showImport(
        HDF5Import(
          parts.plan(named: splitName), arrays: arrays, horizon: horizon, missing: missing,
          vocabularySize: vocabularySize, isBinary: binary), to: parts.output)
    } else if let source, let targetText {
      try showImport(
        FramesToTextImport(
          parts.plan(by: .stream), source: source, offsets: sourceOffsets, text: targetText, grid: grid,
          level: level, minimumCount: minimumCount, subwords: subwords.plan(), missing: missing),
        to: parts.output)
    }
  }

  private static func grid(_ text: String) throws -> FrameGrid {
    let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    let possible = 1...65_536
    guard sides.count == 2, let rows = sides[0], let columns = sides[1], possible.contains(rows),
      possible.contains(columns)
    else {
      throw ValidationError(
        "--grid \(text): expected rows and columns, such as 8x8, each from 1 to \(possible.upperBound)")
    }
    return FrameGrid(rows: rows, columns: columns)
  }
}
