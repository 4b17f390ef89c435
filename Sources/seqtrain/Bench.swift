import ArgumentParser
import Core
import MPI
import Training

extension CellKind: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}

/// `seqtrain bench`
struct Bench: ParallelCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures full training steps on random tokens.",
    discussion: "A step is forward, backward, exchange, clipping and Adam's update; the state is carried.")

  @Option(help: "The recurrent cell.") var cell = CellKind.lstm
  @Option(help: "The number of tokens in the vocabulary.") var vocab = 128
  @Option(help: "The width of the embedding.") var embedding = 128
  @Option(help: "The width of each layer.") var hidden = 256
  @Option(help: "The number of layers.") var layers = 2
  @Option(help: "The rows of the batch, over all ranks.") var lanes = 32
  @Option(help: "The steps in time that gradients run back.") var chunk = 64
  @Option(help: "The inputs of matrix products.") var precision = Precision.float32
  @Option(help: "The steps that are timed.") var steps = 20
  @Option(help: "The steps before them that are not.") var warmup = 3
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    for (name, value, least) in [("vocab", vocab, 1), ("steps", steps, 1), ("warmup", warmup, 0)]
    where value < least {
      throw ValidationError("--\(name) \(value): expected at least \(least)")
    }
  }

  func run(_ communicator: Communicator) throws -> ExitStatus {
    let configuration = try communicator.agree { try self.configuration(ranks: communicator.size) }
    if communicator.rank == 0 { for note in machineNotes(for: precision) { report(warning: note) } }
    let result = try Benchmark(configuration, vocabulary: vocab, steps: steps, warmup: warmup).run(
      communicator)
    if communicator.rank == 0 { print(json ? result.json.text : result.text) }
    return .finished
  }

  /// What is given here is set as by `--set`, so that it is checked in the same way.
  private func configuration(ranks: Int) throws -> Configuration {
    var configuration = Configuration()
    for setting in [
      "model.cell=\(cell.rawValue)", "model.embedding=\(embedding)", "model.hidden=\(hidden)",
      "model.layers=\(layers)", "training.lanes=\(lanes)", "training.chunk=\(chunk)",
      "training.precision=\(precision.rawValue)",
    ] {
      try configuration.set(setting)
    }
    return try configuration.resolved(ranks: ranks)
  }
}

extension BenchmarkResult {
  fileprivate var json: JSON {
    .object([
      "program": .string("seqtrain"), "ranks": .integer(ranks), "step_seconds_median": .number(medianSeconds),
      "step_seconds_min": .number(minimumSeconds), "tokens_per_second": .number(tokensPerSecond),
      "peak_rss_bytes": .integer(peakMemory),
    ])
  }

  fileprivate var text: String {
    """
    ranks              \(ranks)
    step, median       \(Progress.decimal(medianSeconds * 1000, places: 2)) ms
    step, shortest     \(Progress.decimal(minimumSeconds * 1000, places: 2)) ms
    tokens a second    \(Progress.count(tokensPerSecond))
    peak memory        \(peakMemory >> 20) MiB on rank 0
    """
  }
}
