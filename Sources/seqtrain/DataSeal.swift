import ArgumentParser
import Reports
import Sequences

/// `seqtrain data seal`
struct DataSeal: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seal", abstract: "Completes a dataset that another program has made or changed.",
    discussion: """
      What the program makes is an HDF5 file of /values (all tokens, whole numbers from 0), /offsets (where each stream \
      begins, and the end of the last), /splits/train and /splits/validation (first token and end) and /vocabulary (how \
      each token is spelt, with the attribute "level": char, byte or word); or, in place of /values and /vocabulary, the \
      tracks /input/values, /target/values, ..., as the README explains. This writes the attributes "kind", "format_version" \
      and "fingerprint".
      """)

  @Argument(help: "The dataset.", completion: .file(extensions: ["h5", "hdf5"]))
  var path: String

  func run() throws {
    try SequenceDataset.seal(path)
    try printLine("sealed; \(path) now holds:")
    try printLine(try SequenceDataset(path).text())
  }
}
