import ArgumentParser
import Jobs
import Sequences

extension TextLines: ExpressibleByArgument {}

/// `seqtrain predict`
struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Has a model predict at every position of streams, which need no targets.",
    discussion: """
      Predictions are in the words of the data: labels by name, with the probability of the most probable one; frames in the \
      data's units, with variances where the model has them.

      The streams are those of a dataset, of a table (CSV or TSV, whose columns have the names of the model's) or of a text.
      """)

  @OptionGroup var options: PredictionOptions

  func run() throws { try options.run(.targets) }
}

/// `seqtrain forecast`
struct Forecast: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Has a model of frames go on with streams behind their ends.",
    discussion: "What the model expects of each position is what it reads there.")

  @OptionGroup var options: PredictionOptions
  @Option(help: "The number of frames behind each stream's end.") var steps: Int

  func validate() throws {
    try require((1...1_000_000).contains(steps), "--steps \(steps): expected 1 to 1000000")
  }

  func run() throws { try options.run(.frames(steps)) }
}

/// What both commands ask for.
struct PredictionOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("A run's directory, or a checkpoint.", valueName: "run|checkpoint"))
  var path: String
  @Option(
    help: "A dataset, table or text with the streams; targets in it are not looked at. -: standard input.",
    completion: .file())
  var data: String
  @Option(help: "Of a dataset, the split; by default all streams.") var split: String?
  @Option(help: "Of a table, the column that tells streams apart; by default it is one stream.")
  var stream: String?
  @Option(help: "Of a table, the column by which the rows of a stream are sorted.") var time: String?
  @Option(
    help: """
      Of a text, what a line is: one of the streams (the default), or one of the tokens, in its first column, with a blank line \
      at the end of a stream.
      """)
  var lines: TextLines?
  @Option(help: "A new file for the predictions: a table where its name ends in .csv, otherwise HDF5.")
  var output: String
  @Flag(help: "Of a run, take the best checkpoint, not the newest.") var best = false

  func run(_ kind: PredictionJob.Kind) throws {
    var job = PredictionJob(path: path, dataPath: data, outputPath: output)
    (job.best, job.split, job.kind) = (best, split, kind)
    (job.stream, job.time, job.lines) = (stream, time, lines)
    warn(try job.run())
  }
}
