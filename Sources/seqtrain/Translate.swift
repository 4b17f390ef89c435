import ArgumentParser
import Evaluation
import FileSystem
import Jobs
import Sequences

/// `seqtrain translate`
struct Translate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says the targets of sources by a model of pairs.",
    discussion: """
      Each line of the input is a source; its target is written as a line, in the same order, and an empty line for an empty \
      one. With --n-best a target's line is the source's number, its score and itself, with tabs between.
      """)

  @Argument(help: ArgumentHelp("A run's directory, or a checkpoint.", valueName: "run|checkpoint"))
  var path: String

  @Flag(help: "Of a run, take the best checkpoint, not the newest.")
  var best = false

  @Option(
    help: ArgumentHelp("The sources; - for standard input.", valueName: "file"), completion: .file())
  var input = "-"

  @Option(
    help: ArgumentHelp(
      "The file for the targets, which must not exist yet; - for standard output.", valueName: "file"),
    completion: .file())
  var output = "-"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Follow the K most probable beginnings of targets; 1 follows the most probable token.", valueName: "k"))
  var beam = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Divide logarithms of probabilities by ((5 + length) / 6)^A; 0 for none.", valueName: "a"))
  var lengthPenalty = 0.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write the N best targets of each source, at most as many as the beam.", valueName: "n"))
  var nBest = 1

  @Option(parsing: .unconditional, help: "The most tokens of a target.")
  var maxLength = 256

  @Flag(help: "Draw tokens instead of following the most probable ones.")
  var sample = false

  @Option(
    parsing: .unconditional,
    help: "For --sample: below 1, probable tokens become more so; 0 takes the most probable one.")
  var temperature = 1.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("For --sample: draw from the K most probable tokens; 0 for all.", valueName: "k"))
  var topK = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "For --sample: draw from the fewest tokens whose probabilities come to P; 1 for all.", valueName: "p"))
  var topP = 1.0

  @Option(help: "The seed of the draws.")
  var seed: UInt64 = 1

  /// Nobody reads what is still to be said.
  private struct ReaderHasGone: Error {}

  func validate() throws {
    func require(_ condition: Bool, _ message: String) throws {
      guard condition else { throw ValidationError(message) }
    }
    try require((1...4096).contains(beam), "--beam \(beam): expected 1 to 4096")
    try require((1...beam).contains(nBest), "--n-best \(nBest): expected 1 to \(beam), the beam")
    try require(
      lengthPenalty >= 0 && lengthPenalty <= 100, "--length-penalty \(lengthPenalty): expected 0 to 100")
    try require((1...1_000_000).contains(maxLength), "--max-length \(maxLength): expected 1 to 1000000")
    try require(
      temperature >= 0 && temperature.isFinite,
      "--temperature \(temperature): expected a number of at least 0")
    try require(topK >= 0, "--top-k \(topK): expected at least 0")
    try require(topP > 0 && topP <= 1, "--top-p \(topP): expected above 0, at most 1")
    try require(!sample || beam == 1, "--sample draws one target of each source; leave out --beam \(beam)")
    let draws = temperature != 1 || topK != 0 || topP != 1
    try require(sample || !draws, "--temperature, --top-k and --top-p are for --sample")
  }

  func run() throws {
    if output != "-" { try Files.requirePlace(for: output, existing: .refuse) }
    var job = TranslationJob(path: path, input: try TextSource.named(input))
    job.best = best
    (job.options.beam, job.options.best, job.options.longest) = (beam, nBest, maxLength)
    (job.options.lengthPenalty, job.options.seed) = (lengthPenalty, seed)
    if sample { job.options.sampler = Sampler(temperature: temperature, topK: topK, topP: topP) }
    guard output != "-" else {
      do {
        warn(try job.run { guard try StandardOutput.write($0) else { throw ReaderHasGone() } })
      } catch is ReaderHasGone {}
      return
    }
    var text: [UInt8] = []
    warn(try job.run { text += $0 })
    try Files.create(output, of: text, existing: .refuse)
  }
}
