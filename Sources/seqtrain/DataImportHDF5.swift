import ArgumentParser
import Sequences

/// `seqtrain data import hdf5`
struct DataImportHDF5: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hdf5", abstract: "Makes a dataset from arrays in HDF5 files.",
    discussion: """
      Arrays are [N] or [N, D] for N positions, of any numeric type: integers are tokens, real numbers frames, NaN is \
      missing. Targets with a row for each stream are due at its end. A model sees each column of frames with the mean 0 and \
      the standard deviation 1 that it has in the training part. Fractions of --split are counted in streams or, where there \
      is only one, in positions.
      """)

  @OptionGroup var parts: ImportedParts

  @Option(help: "The dataset to make.", completion: .file(extensions: ["h5"]))
  var output: String

  @Option(help: ArgumentHelp("What the model reads, such as /x.", valueName: "array"))
  var inputs: String

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

  func run() throws {
    let arrays = ArrayNames(
      inputs: inputs, targets: targets, weights: weights, offsets: offsets, initial: initial)
    try showImport(
      HDF5Import(
        parts.plan(named: splitName), arrays: arrays, horizon: horizon, missing: missing,
        vocabularySize: vocabularySize, isBinary: binary), to: output)
  }
}
