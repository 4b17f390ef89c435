import ArgumentParser
import Sequences

/// `seqtrain data import pairs`
struct DataImportPairs: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pairs",
    abstract: "Makes a dataset from pairs of texts, such as sentences and their translations.",
    discussion: """
      Two files hold sources and targets, line by line; one file, or each of those for --train, --validation and --test, \
      holds both in each line, with a tab between them. Pairs with an empty side are left out, and counted. Vocabularies are \
      those of the training part: rarer words or characters become the unknown token; subwords are pieces of words, which \
      SentencePiece chooses. A target stands between a begin and an end token.
      """)

  @OptionGroup var parts: ImportedParts

  @Option(help: "What a token is.")
  var level = TokenLevel.word

  @Option(
    help: """
      Words or characters that occur less often in the training part become the unknown token. (default: 2)
      """)
  var minimumCount: Int?

  @OptionGroup var subwords: SubwordOptions

  @Flag(help: "Sources and targets have one vocabulary.")
  var shared = false

  @Option(
    help: """
      Pairs of which a side has more tokens, the target's end token among them, are left out, and counted. (default: none is)
      """)
  var longest: Int?

  func run() throws {
    try showImport(
      PairsImport(
        parts.plan(by: .stream), level: level, minimumCount: minimumCount, subwords: subwords.plan(),
        longest: longest, isShared: shared),
      to: parts.output)
  }
}
