import ArgumentParser
import Sequences

extension MissingInputs: ExpressibleByArgument {}

/// `seqtrain data import table`
struct DataImportTable: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "table", abstract: "Makes a dataset from tables of numbers, CSV or TSV.",
    discussion: """
      The first row names the columns. A row is a position; what is empty, NA or NaN is missing: a missing target counts for \
      nothing. A model sees each column with the mean 0 and the standard deviation 1 that it has in the training part. \
      Fractions of --split are counted in streams or, where there is only one, in rows.
      """)

  @OptionGroup var parts: ImportedParts

  @Option(help: ArgumentHelp("What the model reads.", valueName: "columns"), transform: DelimitedText.fields)
  var inputs: [String]

  @Option(
    help: ArgumentHelp(
      "What it should say; the inputs of the row --horizon further on where left out.", valueName: "columns"),
    transform: DelimitedText.fields)
  var targets: [String] = []

  @Option(
    help: ArgumentHelp("What tells streams apart; each file is one where left out.", valueName: "column"))
  var stream: String?

  @Option(
    help: ArgumentHelp(
      "What the rows of a stream are sorted by: numbers, or dates such as 2026-01-31T12:30.",
      valueName: "column"))
  var time: String?

  @Option(help: "How many rows ahead the target lies. (default: 0 with --targets, 1 without)")
  var horizon: Int?

  @Option(
    help: """
      What becomes of a missing input: the mean, with a column beside it that says so (mask) or without (zero), or the last \
      value before it (forward).
      """)
  var missing = MissingInputs.mask

  @Option(
    help: ArgumentHelp(
      "In place of --split: the column that holds train, validation or test.", valueName: "column"))
  var splitName: String?

  func run() throws {
    let columns = TableColumns(inputs: inputs, targets: targets, stream: stream, time: time)
    try showImport(
      TableImport(parts.plan(named: splitName), columns: columns, horizon: horizon, missing: missing),
      to: parts.output)
  }
}
