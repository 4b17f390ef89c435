import Evaluation
import FileSystem

/// The result of an evaluation.
package struct EvaluationReport: Sendable {
  /// What was measured, and the metrics.
  package let header: EvaluationHeader
  /// The split's entropy, a lower bound of any model's loss, in nats a target; nil if unknown.
  package let floor: Double?
  /// What is wrong with newer checkpoints of the run; empty except on rank 0.
  package let damaged: [String]

  /// A report of these facts.
  package init(header: EvaluationHeader, floor: Double?, damaged: [String]) {
    self.header = header
    self.floor = floor
    self.damaged = damaged
  }

  /// How far the loss is above the floor, as a fraction of it; nil if the floor is unknown.
  private var excess: Double? { floor.map { header.metrics.loss / $0 - 1 } }

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
    guard let floor, let excess else { return alignedText(header.rows) }
    let percent = Wording.decimal(excess * 100, places: 2)
    return alignedText(
      header.rows + [("entropy floor", "\(Wording.decimal(floor, places: 4)) nats; \(percent) % above it")])
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
  /// As members of a JSON object.
  package var members: JSON.Members {
    [
      "loss": .number(loss), "perplexity": .number(perplexity), "bits_per_target": .number(bitsPerTarget),
      "accuracy": .number(accuracy), "targets": .integer(targets),
    ]
  }

  /// As rows for people.
  package var rows: [(String, String)] {
    [
      ("loss", "\(Wording.decimal(loss, places: 4)) nats a target"),
      ("perplexity", Wording.decimal(perplexity, places: 4)),
      ("bits a target", Wording.decimal(bitsPerTarget, places: 4)),
      ("accuracy", "\(Wording.decimal(accuracy * 100, places: 2)) %"),
      ("targets", "\(targets)"),
    ]
  }
}

/// Lines of names and values, the values aligned and their control characters escaped.
package func alignedText(_ rows: [(name: String, value: String)]) -> String {
  let width = rows.reduce(0) { max($0, $1.name.count) } + 2
  return rows.map { $0.name + String(repeating: " ", count: width - $0.name.count) + $0.value.printable() }
    .joined(separator: "\n")
}
