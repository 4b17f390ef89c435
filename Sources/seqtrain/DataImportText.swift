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

  @OptionGroup var parts: ImportedParts

  @Option(help: ArgumentHelp("Which files of folders are taken, such as '*.txt'.", valueName: "pattern"))
  var glob: String?

  @Option(help: "What a token is.")
  var level = TokenLevel.char

  @Option(help: "What a stream is, at whose beginning a model starts afresh.")
  var streams = StreamKind.whole

  @Option(help: "Whether the parts are counted in tokens, which may cut a stream, or in streams.")
  var splitBy = SplitPlan.Measure.position

  @Option(help: "Whether CR LF at the end of a line stays, or becomes LF.")
  var newlines = Newlines.keep

  @Option(
    help: ArgumentHelp(
      "The dataset or checkpoint whose vocabulary the text is to have, in place of one of its own.",
      valueName: "file"), completion: .file(extensions: ["h5"]))
  var vocabulary: String?

  @Option(help: "Characters or words that occur less often become the unknown token.")
  var minimumCount: Int?

  @Option(
    help: "Only so many of the most frequent characters or words are kept, the unknown token among them.")
  var maximumSize: Int?

  func run() throws {
    let text = try TextImport(
      parts.plan(by: splitBy), matching: glob, level: level, streams: streams, newlines: newlines,
      vocabularySource: vocabulary, minimumCount: minimumCount, maximumSize: maximumSize)
    try showImport(of: parts.output) {
      try text.run(output: parts.output, command: DataCommand.line, progress: $0)
    }
  }
}
