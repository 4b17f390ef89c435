import ArgumentParser
import Jobs

/// `seqtrain inspect`
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what a run, or a file that this program has made, holds.",
    discussion:
      "Two checkpoints of the same digest hold the same training state, on however many ranks it came about.")

  @Argument(
    help: ArgumentHelp(
      "A run's directory, for its newest sound checkpoint, or a file.", valueName: "run|file"),
    completion: .file())
  var path: String

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let inspection = try Inspection(path)
    warn(inspection.damaged)
    try printLine(json ? inspection.json.text : inspection.text)
  }
}
