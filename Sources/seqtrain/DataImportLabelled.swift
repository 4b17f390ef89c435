import ArgumentParser
import Sequences

/// `seqtrain data import labelled`
struct DataImportLabelled: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "labelled", abstract: "Makes a dataset from text with a label for each token.",
    discussion: """
      A line is a token, a tab or spaces, and its label (of several columns the first and the last count); a blank line ends \
      a stream (CoNLL). Vocabulary and labels are those of the training part: rarer words become the unknown token, a label \
      that is not there is refused.
      """)

  @OptionGroup var parts: ImportedParts

  @Option(help: "Words that occur less often in the training part become the unknown token.")
  var minimumCount = 2

  func run() throws {
    try showImport(LabelledImport(parts.plan(), minimumCount: minimumCount), to: parts.output)
  }
}
