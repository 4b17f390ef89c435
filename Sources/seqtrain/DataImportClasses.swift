import ArgumentParser
import Sequences

/// `seqtrain data import classes`
struct DataImportClasses: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "classes", abstract: "Makes a dataset from texts with a label each.",
    discussion: """
      A line is a label, a tab and a text, which is one stream; the label is due at its end. Vocabulary and labels are those \
      of the training part: rarer words or characters become the unknown token, a label that is not there is refused.
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

  func run() throws {
    try showImport(
      ClassesImport(
        parts.plan(by: .stream), level: level, minimumCount: minimumCount, subwords: subwords.plan()),
      to: parts.output)
  }
}
