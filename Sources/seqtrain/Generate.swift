import ArgumentParser
import Evaluation
import FileSystem
import Jobs
import Sequences

/// `seqtrain generate`
struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Has a model continue a text.",
    discussion: """
      Prints the prompt, right behind it the text as it is drawn (of a model of bytes, whatever they are), and a line's \
      end. The same weights, prompt, settings and seed give the same text.
      """)

  @Argument(help: ArgumentHelp("A run's directory, or a checkpoint.", valueName: "run|checkpoint"))
  var path: String

  @Flag(help: "Of a run, take the best checkpoint, not the newest.")
  var best = false

  // A prompt may begin as an option does; so does a number below zero, which then is refused as what it is.
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      The text to be continued, read as the beginning of a line (of a stream, if the model was trained on many short \
      ones).
      """, valueName: "text"))
  var prompt = ""

  @Option(
    help: ArgumentHelp(
      "A file with the prompt, all of which counts, a last line's end too; - for standard input.",
      valueName: "file"),
    completion: .file())
  var promptFile: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The numbers with which the stream begins, in the data's units and separated by commas, where the model was trained with such.",
      valueName: "numbers"), transform: Self.numbers)
  var initial: [Float] = []

  @Option(parsing: .unconditional, help: "The number of tokens to draw.")
  var length = 500

  @OptionGroup var drawing: DrawingOptions

  func validate() throws {
    try require(prompt.isEmpty || promptFile == nil, "--prompt and --prompt-file: expected one of them")
    try require(length >= 0, "--length \(length): expected at least 0")
  }

  private static func numbers(_ text: String) throws -> [Float] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard let number = Float(part), number.isFinite else {
        throw ValidationError("--initial \(text): expected numbers separated by commas, such as 0.5,-1")
      }
      return number
    }
  }

  func run() throws {
    var job = GenerationJob(path: path)
    (job.best, job.prompt, job.length, job.seed) = (
      best, .text(prompt), length, drawing.seed
    )
    job.initial = initial
    if let promptFile { job.prompt = .source(try TextSource.named(promptFile)) }
    job.sampler = drawing.sampler
    try writeToReader { write in
      let damaged = try job.run(emit: write)
      try printLine("")
      warn(damaged)
    }
  }
}
