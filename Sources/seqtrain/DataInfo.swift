import ArgumentParser
import Reports
import Sequences

/// `seqtrain data info`
struct DataInfo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Shows what a dataset holds.",
    discussion: "Reads all of it, and fails where a token or the fingerprint is wrong.")

  @Argument(help: "The dataset.", completion: .file())
  var path: String

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "Name every file that it was made from, and the command in full.")
  var files = false

  func run() throws {
    let dataset = try SequenceDataset(path)
    try dataset.verify()
    try printLine(json ? try dataset.json(listingFiles: files).text : try dataset.text(listingFiles: files))
  }
}
