import ArgumentParser
import Jobs
import MPI
import Reports

/// `seqtrain eval`
struct EvalCommand: ParallelCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval", abstract: "Measures a model from a checkpoint on a dataset.",
    discussion: "The numbers are the same on any number of ranks.")

  @Argument(help: ArgumentHelp("A run's directory, or a checkpoint.", valueName: "run|checkpoint"))
  var path: String
  @Option(help: "The dataset; by default the one that the model was trained on.") var data: String?
  @Option(help: "The dataset's split; by default test where there is one, else validation.")
  var split: String?
  @Option(help: "A new HDF5 file for the results by stream and by target.") var output: String?
  @Flag(help: "Write the hidden states of the uppermost layer there too.") var states = false
  @Flag(help: "Pass a second time, the model reading what it draws itself: how much worse is it then?")
  var freeRunning = false
  @Flag(help: "Of pairs, have the model say the targets too: BLEU and chrF, exact matches, edits.")
  var decode = false
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --decode: the most probable beginnings that are followed; 1 by default.", valueName: "k"))
  var beam: Int?
  @Flag(help: "Of a run, take the best checkpoint, not the newest.") var best = false
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if states && output == nil { throw ValidationError("--states needs --output, where they are written") }
    if let beam {
      try require((1...4096).contains(beam), "--beam \(beam): expected 1 to 4096")
      try require(decode, "--beam is for --decode")
    }
  }

  func run(_ communicator: Communicator) throws -> ExitStatus {
    var job = EvaluationJob(path: path)
    (job.best, job.dataPath, job.split) = (best, data, split)
    (job.outputPath, job.states, job.runsFree) = (output, states, freeRunning)
    job.beam = decode ? beam ?? 1 : nil
    let console = communicator.rank == 0 && !json ? Console() : nil
    let result = try job.run(communicator) { done, all in
      if done * 100 / all > (done - 1) * 100 / all { console?.progress("evaluated \(done * 100 / all) %") }
    }
    console?.progress("")
    try communicator.agree {
      guard communicator.rank == 0 else { return }
      warn(result.damaged)
      try printLine(json ? result.json.text : result.text)
    }
    return .finished
  }
}

/// Tells the user of newer checkpoints that were passed over.
func warn(_ damaged: [String]) {
  for message in damaged { report(warning: "passed over: \(message)") }
}
