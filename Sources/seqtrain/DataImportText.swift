import ArgumentParser
import Reports
import Sequences

extension TokenLevel: ExpressibleByArgument {
  /// Labels are no level of text.
  public static var allValueStrings: [String] { ofText.map(\.rawValue) }
}
extension StreamKind: ExpressibleByArgument {}
extension Newlines: ExpressibleByArgument {}
extension SplitPlan.Measure: ExpressibleByArgument {}

/// `seqtrain data import text`
struct DataImportText: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "text", abstract: "Makes a dataset from text.",
    discussion: """
      Text is UTF-8 (for bytes: anything), inflated where a file's name ends with .gz. It is read twice, block by block, \
      and may be larger than memory; standard input is kept beside the dataset meanwhile. An existing dataset is not \
      overwritten.
      """)

  @Argument(
    help: """
      Files, folders (all files in them and below, by name, but hidden ones), patterns, and - for standard input, in \
      their order.
      """, completion: .file())
  var files: [String]

  @Option(help: ArgumentHelp("Which files of folders are taken, such as '*.txt'.", valueName: "pattern"))
  var glob: String?

  @Option(help: "The dataset to make.", completion: .file(extensions: ["h5"]))
  var output: String

  @Option(help: "What a token is.")
  var level = TokenLevel.char

  @Option(help: "What a stream is, at whose beginning a model starts afresh.")
  var streams = StreamKind.whole

  @Option(
    help: ArgumentHelp(
      "The parts for training, validation and, where there are three, test. (default: 0.9,0.05,0.05)",
      valueName: "parts"), transform: fractions)
  var split = [0.9, 0.05, 0.05]

  @Option(help: "Whether the parts are counted in tokens, which may cut a stream, or in streams.")
  var splitBy = SplitPlan.Measure.position

  @Option(help: "Whether CR LF at the end of a line stays, or becomes LF.")
  var newlines = Newlines.keep

  @Option(help: "Words that occur less often become the unknown token.")
  var minimumCount: Int?

  @Option(help: "Only so many of the most frequent words are kept, the unknown token among them.")
  var maximumSize: Int?

  func run() throws {
    let text = try TextImport(
      files: files, matching: glob, level: level, streams: streams,
      split: SplitPlan(fractions: split, measure: splitBy), newlines: newlines, minimumCount: minimumCount,
      maximumSize: maximumSize)
    let console = Console()
    var shown = -1
    let remarks = try text.run(output: output, command: DataCommand.line) { part in
      if case let percent = Int(part * 100), percent > shown {
        shown = percent
        console.progress("reading: \(percent) %")
      }
    }
    console.progress("")
    for remark in remarks { report(warning: remark) }
    try printLine(try SequenceDataset(output).text())
  }

  private static func fractions(_ text: String) throws -> [Double] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard let fraction = Double(part) else {
        throw ValidationError("--split \(text): expected numbers separated by commas, such as 0.9,0.05,0.05")
      }
      return fraction
    }
  }
}
