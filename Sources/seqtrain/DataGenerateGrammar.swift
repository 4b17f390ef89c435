import ArgumentParser
import Reports
import Sequences

/// `seqtrain data generate grammar`
struct DataGenerateGrammar: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grammar", abstract: "Makes a dataset of tales from a stochastic grammar.",
    discussion: """
      The dataset states the entropy of each of its parts: no model's loss can be lower, except by chance, and a good \
      one comes near. An existing dataset is not overwritten.
      """)

  @Option(help: "The seed of all choices.")
  var seed: UInt64 = 1

  @Option(help: "The dataset to make.", completion: .file(extensions: ["h5"]))
  var output: String

  @Option(help: "Tales are added until there are so many characters.")
  var characters = TaleCorpus.defaultCharacters

  func run() throws {
    try TaleCorpus(seed: seed, characters: characters).run(output: output, command: DataCommand.line)
    try printLine(try SequenceDataset(output).text())
  }
}
