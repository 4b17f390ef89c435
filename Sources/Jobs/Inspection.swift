import Core
import Evaluation
import FileSystem
import HDF5
import Reports
import Sequences
import Training

/// The job behind `seqtrain inspect`: the kind and content of a file of this program.
package struct Inspection: Sendable {
  /// The facts for programs: an object with `kind`, `format_version` and what the text says.
  package let json: JSON
  /// The same for people.
  package let text: String
  /// What is wrong with checkpoints newer than the one shown.
  package let damaged: [String]

  /// Inspects a checkpoint, a dataset, an evaluation, predictions, an alignment, or the newest sound checkpoint of a run.
  ///
  /// - Throws: `TrainingError`, `HDF5Error`, `FileError` or `DataError` where the file cannot be read, is damaged, or of
  ///   another kind.
  package init(_ path: String) throws {
    // The manifest is checked before the HDF5 library opens the file: damage could crash it.
    let isCheckpoint = Files.isDirectory(path) || CheckpointStore.hasManifest(path)
    let kind = isCheckpoint ? CheckpointHeader.format.kind : try Self.kind(of: path)
    var damaged: [String] = []
    switch kind {
    case CheckpointHeader.format.kind:
      let file: CheckpointFile
      (file, damaged) = try CheckpointStore.find(path, best: false)
      (json, text) = try Self.describe(file, passedOver: damaged)
    case EvaluationHeader.format.kind:
      (json, text) = Self.describe(try EvaluationHeader(File.open(path)), path)
    case PredictionHeader.format.kind: (json, text) = try Self.describe(predictions: File.open(path), path)
    case AlignmentHeader.format.kind: (json, text) = try Self.describe(alignment: File.open(path), path)
    case SequenceDataset.format.kind:
      let dataset = try SequenceDataset(path)
      (json, text) = (try dataset.json(), try dataset.text())
    default:
      throw TrainingError(
        "\(path): a file of kind \(kind.debugDescription); expected a checkpoint, a dataset, an evaluation, predictions or an alignment"
      )
    }
    self.damaged = damaged
  }

  private static func kind(of path: String) throws -> String {
    try refuseText(path)
    if let kind = try File.open(path).kind() { return kind }
    throw TrainingError(
      "\(path): an HDF5 file, but none of this program: it has no attribute \"kind\"; expected a checkpoint, a run's "
        + "directory, a dataset, an evaluation, predictions or an alignment")
  }

  /// Refuses a text of a run's directory, naming the run that was probably meant.
  private static func refuseText(_ path: String) throws {
    let runs = [Files.directory(of: path), RunDirectory.defaultPath(configuration: path)]
    let run = runs.map(RunDirectory.init).first { Files.isDirectory($0.checkpointsPath) }
    let isNamedAsText = Files.isNamedAsYAML(path) || path.hasSuffix(".jsonl") || path.hasSuffix(".log")
    guard isNamedAsText, Files.exists(path), !Files.isHDF5(path) else { return }
    let advice = run.map { "for the run: seqtrain inspect \($0.path)" } ?? "a run is named by its directory"
    throw TrainingError(
      "\(path): a text; expected a checkpoint, a run's directory, a dataset, an evaluation, predictions or an alignment; \(advice)"
    )
  }

  private static func describe(_ file: CheckpointFile, passedOver: [String]) throws -> (JSON, String) {
    let header = file.header
    let progress = header.progress
    let parameters = try file.parameterShapes()
    let count = parameters.reduce(0) { $0 + $1.shape.reduce(1, *) }
    let digest = try file.digest()
    let configuration = try file.configuration()
    let model = configuration.model
    let layout = Blueprint(model, tracks: header.data.tracks).layout
    let groups = parameters.map { layout[$0.name].map(configuration.training.optimizer.group) }
    let measure = configuration.evaluation.measure
    let isMeasured = progress.bestValidation.isFinite
    let best =
      isMeasured
      ? "\(Wording.decimal(progress.bestValidation, places: 4)), at step \(progress.bestStep)"
      : "not measured yet"
    let data = DatasetSearch(file, name: configuration.data.path)
    let dataPath = try? data.find()
    var members: JSON.Members = [
      "kind": .string(CheckpointHeader.format.kind), "format_version": .integer(file.formatVersion),
      "step": .integer(progress.step), "epoch": .integer(progress.epoch), "parameters": .integer(count),
      "digest": .string(digest), "checkpoint": .string(file.path),
      "best_loss": measure == .loss ? .number(progress.bestValidation) : .null,
      "best_step": isMeasured ? .integer(progress.bestStep) : .null,
      "best": .object([measure.rawValue: .number(progress.bestValidation)]),
      "model": .object([
        "cell": .string(model.cell.yaml), "layers": .integer(model.layers),
        "hidden": .integer(model.hidden), "embedding": .integer(model.embedding),
      ]),
      "optimizer": .string(header.optimizer), "dataset": .string(data.name),
      "dataset_path": dataPath.map(JSON.string) ?? .null, "fingerprint": .string(data.fingerprint),
    ]
    members.append(header.data.members)
    members.append([
      "parameter_shapes": .array(
        zip(parameters, groups).map { parameter, group in
          .object([
            "name": .string(parameter.name), "shape": .array(parameter.shape.map(JSON.integer)),
            "rate_factor": group.map { .number($0.rateFactor) } ?? .null,
            "weight_decay": group.map { .number($0.weightDecay) } ?? .null,
          ])
        }),
      "passed_over": .array(passedOver.map(JSON.string)),
    ])
    let rows: [(String, String)] =
      [
        ("checkpoint", "\(file.path), format version \(file.formatVersion)"),
        ("step", "\(progress.step), in epoch \(progress.epoch)"),
        ("best validation \(measure.title)", best),
        ("model", "\(model.cell) \(model.layers) x \(model.hidden), embedding \(model.embedding)"),
        ("optimizer", header.optimizer),
        ("dataset", "\(dataPath ?? "\(data.name) (not found)"), fingerprint \(data.fingerprint)"),
      ]
      + header.data.rows + [("digest", digest), ("parameters", "\(count)")]
      + zip(parameters, groups).map { parameter, group in
        let shape = parameter.shape.map(String.init).joined(separator: " x ")
        return ("  \(parameter.name)", shape + (group.map(note) ?? ""))
      }
    return (.object(members), alignedText(rows))
  }

  /// A parameter's learning rate, where it is not that of most, and its weight decay.
  private static func note(_ group: UpdateGroup) -> String {
    let rate = group.rateFactor == 1 ? "" : ", learning rate x \(group.rateFactor)"
    return rate + (group.weightDecay > 0 ? ", weight decay \(group.weightDecay)" : "")
  }

  private static func describe(_ header: EvaluationHeader, _ path: String) -> (JSON, String) {
    var members: JSON.Members = [
      "kind": .string(EvaluationHeader.format.kind),
      "format_version": .integer(EvaluationHeader.format.version),
    ]
    members.append(header.members)
    members.append(["metrics": .object(header.metrics.members), "evaluation": .string(path)])
    return (.object(members), alignedText([("evaluation", path)] + header.rows))
  }

  private static func describe(predictions file: File, _ path: String) throws -> (JSON, String) {
    let summary = try PredictionSummary(file)
    let members: JSON.Members = [
      "kind": .string(PredictionHeader.format.kind),
      "format_version": .integer(PredictionHeader.format.version),
      "predictions": .string(path), "checkpoint": .string(summary.checkpoint), "step": .integer(summary.step),
      "dataset": .string(summary.dataset),
      "fingerprint": summary.datasetFingerprint.map(JSON.string) ?? .null,
      "streams": .integer(summary.streams), "positions": .integer(summary.positions),
    ]
    let fingerprint = summary.datasetFingerprint.map { ", fingerprint \($0)" } ?? ""
    let rows = [
      ("predictions", path), ("checkpoint", "\(summary.checkpoint), step \(summary.step)"),
      ("data", summary.dataset + fingerprint),
      ("positions", "\(summary.positions) in \(Wording.counted(summary.streams, "stream"))"),
    ]
    return (.object(members), alignedText(rows))
  }

  private static func describe(alignment file: File, _ path: String) throws -> (JSON, String) {
    let summary = try AlignmentSummary(file)
    let members: JSON.Members = [
      "kind": .string(AlignmentHeader.format.kind),
      "format_version": .integer(AlignmentHeader.format.version),
      "alignment": .string(path), "checkpoint": .string(summary.checkpoint), "step": .integer(summary.step),
      "targets": .integer(summary.targets), "tokens": .integer(summary.tokens),
    ]
    let rows = [
      ("alignment", path), ("checkpoint", "\(summary.checkpoint), step \(summary.step)"),
      ("tokens", "\(summary.tokens) in \(Wording.counted(summary.targets, "target"))"),
    ]
    return (.object(members), alignedText(rows))
  }
}
