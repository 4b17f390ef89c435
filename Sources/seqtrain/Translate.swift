import ArgumentParser
import Evaluation
import FileSystem
import Jobs
import MPI

/// `seqtrain translate`
struct Translate: ParallelCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says the targets of sources by a model of pairs.",
    discussion: """
      Each line of the input is a source, or each pair of a dataset has one; its target is written as a line, in the same order, \
      and an empty line for an empty one. With --n-best a target's line is the source's number, its score and itself, with tabs \
      between. The lines are the same on any number of ranks.
      """)

  @Argument(help: ArgumentHelp("A run's directory, or a checkpoint.", valueName: "run|checkpoint"))
  var path: String

  @Flag(help: "Of a run, take the best checkpoint, not the newest.")
  var best = false

  @Option(
    help: ArgumentHelp("The sources; - for standard input, the default.", valueName: "file"),
    completion: .file())
  var input: String?

  @Option(
    help: ArgumentHelp(
      "A dataset with the sources, in place of --input; targets in it are not looked at.", valueName: "file"),
    completion: .file(extensions: ["h5"]))
  var data: String?

  @Option(help: "Of a dataset, the split; by default all pairs.")
  var split: String?

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

  @Option(
    help: ArgumentHelp(
      """
      A new file, .json or .h5, for what the model attends to while it says each token of the best targets: a weight for each \
      position of the source, the mean over all heads.
      """, valueName: "file"), completion: .file(extensions: ["json", "h5"]))
  var alignment: String?

  @Option(
    help: ArgumentHelp(
      "A new directory for pictures of that (SVG), one a source, named by its number.", valueName: "directory"
    ),
    completion: .directory)
  var heatmap: String?

  @Option(parsing: .unconditional, help: "The most tokens of a target.")
  var maxLength = 256

  @Flag(help: "Draw tokens, as the next options say, instead of following the most probable ones.")
  var sample = false

  @OptionGroup var drawing: DrawingOptions

  func validate() throws {
    try require(input == nil || data == nil, "--input and --data: expected one of them")
    try require(split == nil || data != nil, "--split is for --data")
    try require((1...4096).contains(beam), "--beam \(beam): expected 1 to 4096")
    try require((1...beam).contains(nBest), "--n-best \(nBest): expected 1 to \(beam), the beam")
    try require(
      lengthPenalty >= 0 && lengthPenalty <= 100, "--length-penalty \(lengthPenalty): expected 0 to 100")
    try require((1...1_000_000).contains(maxLength), "--max-length \(maxLength): expected 1 to 1000000")
    try require(!sample || beam == 1, "--sample draws one target of each source; leave out --beam \(beam)")
    if let alignment {
      try require(
        alignment.hasSuffix(".json") || alignment.hasSuffix(".h5"),
        "--alignment \(alignment): expected a name that ends in .json or .h5")
      try require(alignment != output, "--output and --alignment are both \(alignment); give each a file")
    }
    try require(sample || !drawing.areChosen, "--temperature, --top-k and --top-p are for --sample")
  }

  func run(_ communicator: Communicator) throws -> ExitStatus {
    let isFirst = communicator.rank == 0
    try communicator.agree {
      if isFirst && output != "-" { try Files.requirePlace(for: output, existing: .refuse) }
    }
    var job = TranslationJob(
      path: path, input: data.map { .dataset($0, split: split) } ?? .text(input ?? "-"))
    job.best = best
    (job.options.beam, job.options.best, job.options.longest) = (beam, nBest, maxLength)
    (job.options.lengthPenalty, job.options.seed) = (lengthPenalty, drawing.seed)
    if sample { job.options.sampler = drawing.sampler }
    (job.alignmentPath, job.picturesPath) = (alignment, heatmap)
    var text: [UInt8] = []
    let damaged = try job.run(communicator) { lines in
      if output == "-" { return try StandardOutput.write(lines) }
      text += lines
      return true
    }
    try communicator.agree {
      guard isFirst else { return }
      warn(damaged)
      if output != "-" { try Files.create(output, of: text, existing: .refuse) }
    }
    return .finished
  }
}
