import ArgumentParser
import Training

/// `seqtrain inspect`
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what a checkpoint holds.",
    discussion:
      "Two checkpoints of the same digest hold the same training state, on however many ranks it came about.")

  @Argument(help: "A checkpoint, or the directory of a run, for its newest one.", completion: .file())
  var path: String

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let summary = try CheckpointSummary(path)
    print(json ? summary.json.text : summary.text)
  }
}

extension CheckpointSummary {
  fileprivate var json: JSON {
    .object([
      "kind": .string("checkpoint"), "format_version": .integer(formatVersion),
      "step": .integer(progress.step),
      "epoch": .integer(progress.epoch), "parameters": .integer(parameters), "digest": .string(digest),
    ])
  }

  fileprivate var text: String {
    let model = configuration.model
    let best = Progress.decimal(progress.bestLoss, places: 4)
    return """
      checkpoint   \(path), format version \(formatVersion)
      progress     step \(progress.step), epoch \(progress.epoch)
      validation   \(progress.bestLoss.isFinite ? "best \(best), at step \(progress.bestStep)" : "none yet")
      model        \(model.cell) \(model.layers) x \(model.hidden), embedding \(model.embedding)
      vocabulary   \(vocabularyCount) tokens
      parameters   \(parameters)
      dataset      \(configuration.data.path), fingerprint \(datasetFingerprint)
      digest       \(digest)
      """
  }
}
