import ArgumentParser
import Reports
import SentencePiece
import Sequences

extension TokenLevel: ExpressibleByArgument {
  /// Labels are no level of text.
  public static var allValueStrings: [String] { ofText.map(\.rawValue) }
}
extension SentencePieceModel.Choice: ExpressibleByArgument {}
extension StreamKind: ExpressibleByArgument {}
extension Newlines: ExpressibleByArgument {}
extension SplitPlan.Measure: ExpressibleByArgument {}

/// How subwords are chosen.
struct SubwordOptions: ParsableArguments {
  @Option(
    help: """
      Of --level subword: how many pieces of words there are to be, the 256 bytes and the unknown token among them. (default: \
      8000)
      """)
  var pieces: Int?

  @Option(
    help: ArgumentHelp(
      """
      Of --level subword: how SentencePiece chooses them: by the likelihood of a unigram model, or by merging frequent pairs. \
      (default: unigram)
      """, valueName: "model"))
  var piecesBy: SentencePieceModel.Choice?

  /// What they say; nil where nothing is said.
  func plan() throws -> SubwordPlan? {
    pieces == nil && piecesBy == nil ? nil : try SubwordPlan(piecesBy, pieces: pieces)
  }
}

/// `seqtrain data import text`
struct DataImportText: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "text", abstract: "Makes a dataset from text.",
    discussion: """
      Text is UTF-8 (for bytes: anything), inflated where a file's name ends with .gz. It is read twice (of \
      subwords three times), block by block, and may be larger than memory; standard input is kept beside the dataset meanwhile. An existing dataset is not \
      overwritten. Subwords are pieces of words, chosen for the training part by SentencePiece, whose model the dataset and \
      checkpoints hold; parts are counted in characters then, and end with words.
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

  @OptionGroup var subwords: SubwordOptions

  func run() throws {
    let text = try TextImport(
      parts.plan(by: splitBy), matching: glob, level: level, streams: streams, newlines: newlines,
      vocabularySource: vocabulary, minimumCount: minimumCount, maximumSize: maximumSize,
      subwords: subwords.plan())
    try showImport(of: parts.output) {
      try text.run(output: parts.output, command: DataCommand.line, progress: $0)
    }
  }
}
