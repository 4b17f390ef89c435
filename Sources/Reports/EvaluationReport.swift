import Evaluation
import FileSystem

/// The result of an evaluation.
package struct EvaluationReport: Sendable {
  /// What was measured, and the metrics.
  package let header: EvaluationHeader
  /// A lower bound of any model's loss, in the data's units: of likelihoods the split's entropy, in nats a target; nil if
  /// unknown.
  package let floor: Double?
  /// What is wrong with newer checkpoints of the run; empty except on rank 0.
  package let damaged: [String]

  /// A report of these facts.
  package init(header: EvaluationHeader, floor: Double?, damaged: [String]) {
    self.header = header
    self.floor = floor
    self.damaged = damaged
  }

  /// How far the model is above the floor, as a fraction of it; nil if the floor is unknown, or not above zero.
  private var excess: Double? {
    guard let floor, floor > 0 else { return nil }
    return header.metrics.inDataUnits / floor - 1
  }

  /// For programs: what was measured and how, the metrics, `floor`, `excess`, and `passed_over`: what is wrong with newer
  /// checkpoints.
  package var json: JSON {
    var members = header.members
    members.append(header.metrics.members)
    members.append([
      "floor": floor.map(JSON.number) ?? .null, "excess": excess.map(JSON.number) ?? .null,
      "passed_over": .array(damaged.map(JSON.string)),
    ])
    return .object(members)
  }

  /// For people: a line each.
  package var text: String {
    guard let floor else { return alignedText(header.rows) }
    let above = excess.map { "; \(Wording.decimal($0 * 100, places: 2)) % above it" } ?? ""
    return alignedText(header.rows + [("lowest loss", "\(Wording.decimal(floor, places: 4))\(above)")])
  }
}

extension EvaluationHeader {
  /// What was measured, and how, as members of a JSON object.
  package var members: JSON.Members {
    [
      "checkpoint": .string(checkpoint), "step": .integer(step), "dataset": .string(dataset),
      "fingerprint": .string(datasetFingerprint), "split": .string(split), "mode": .string(mode),
      "lanes": .integer(lanes),
    ]
  }

  /// As rows for people.
  package var rows: [(String, String)] {
    [
      ("checkpoint", "\(checkpoint), step \(step)"), ("dataset", "\(dataset), split \(split)"),
    ] + metrics.rows
  }
}

extension Metrics {
  /// The loss as it is for data that are not normalised.
  fileprivate var inDataUnits: Double { self[.nll] ?? self[.mse] ?? loss }

  /// As members of a JSON object, by the names of the measures.
  package var members: JSON.Members {
    var members: JSON.Members = [:]
    for value in values { members.append([value.measure.rawValue: .number(value.value)]) }
    if !signatures.isEmpty { members.append(["signatures": .array(signatures.map(JSON.string))]) }
    members.append(["targets": .integer(targets)])
    if !labels.isEmpty {
      members.append([
        "labels": .array(labels.map(\.json)),
        "confusion": .array(confusion.map { .array($0.map(JSON.integer)) }),
      ])
    }
    if !units.isEmpty { members.append(["units": .array(units.map(\.json))]) }
    return members
  }

  /// As rows for people: the measures, then the labels or the units one by one.
  package var rows: [(String, String)] {
    values.map { ($0.measure.title, text($0)) }
      + (signatures.isEmpty ? [] : [("BLEU, chrF2 of", "sacreBLEU, \(signatures.joined(separator: ", "))")])
      + [("targets", "\(targets)")]
      + labels.map { ("  \($0.name)", $0.text) }
      + (units.count > 1 ? units.map { ("  \($0.name)", $0.text) } : [])
  }

  private func text(_ value: Value) -> String {
    switch value.measure.form {
    case .share: "\(Wording.decimal(value.value * 100, places: 2)) %"
    case .nats: "\(number(value.value)) nats a target"
    case .number:
      "\(number(value.value))\(value.measure == .loss && isLossInNats ? " nats a target" : "")"
    }
  }
}

extension LabelScore {
  fileprivate var json: JSON {
    .object([
      "name": .string(name), "precision": .number(precision), "recall": .number(recall), "f1": .number(f1),
      "targets": .integer(targets), "predicted": .integer(predicted),
    ])
  }

  fileprivate var text: String {
    func percent(_ share: Double) -> String { Wording.decimal(share * 100, places: 2) }
    return "precision \(percent(precision)) %, recall \(percent(recall)) %, F1 \(percent(f1)) %, "
      + Wording.counted(targets, "target")
  }
}

extension UnitScore {
  fileprivate var json: JSON {
    .object([
      "name": .string(name), "mse": .number(mse), "mae": .number(mae), "r2": .number(r2),
      "corr": .number(corr),
    ])
  }

  fileprivate var text: String {
    "mean squared error \(number(mse)), absolute \(number(mae)), R2 \(number(r2)), correlation \(number(corr))"
  }
}

/// With four places, or as many digits where it is small.
private func number(_ value: Double) -> String {
  guard value.isFinite else { return "not defined" }
  return abs(value) >= 0.01 || value == 0 ? Wording.decimal(value, places: 4) : "\(Float(value))"
}

/// Lines of names and values, the values aligned and their control characters escaped.
package func alignedText(_ rows: [(name: String, value: String)]) -> String {
  let width = rows.reduce(0) { max($0, $1.name.count) } + 2
  return rows.map { $0.name + String(repeating: " ", count: width - $0.name.count) + $0.value.printable() }
    .joined(separator: "\n")
}
