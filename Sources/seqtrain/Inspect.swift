import ArgumentParser
import Training

/// `seqtrain inspect`
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what a checkpoint, a run, a dataset or an evaluation holds.",
    discussion:
      "Two checkpoints of the same digest hold the same training state, on however many ranks it came about.")

  @Argument(help: "A file, or the directory of a run, for its newest sound checkpoint.", completion: .file())
  var path: String

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let inspection = try Inspection(path)
    warn(inspection.damaged)
    print(json ? inspection.json.text : inspection.text)
  }
}
