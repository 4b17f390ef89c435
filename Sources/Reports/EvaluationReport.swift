import Evaluation
import FileSystem

/// What an evaluation has found.
package struct EvaluationReport: Sendable {
  /// What was measured, and the result.
  package let header: EvaluationHeader
  /// The split's entropy, below which no model can go, in nats a target; nil where it is not known.
  package let floor: Double?
  /// What is wrong with newer checkpoints of the run; on rank 0.
  package let damaged: [String]

  /// A report of these facts.
  package init(header: EvaluationHeader, floor: Double?, damaged: [String]) {
    self.header = header
    self.floor = floor
    self.damaged = damaged
  }

  /// By how much the loss is above the floor, as a fraction of it; nil where that is not known.
  private var excess: Double? { floor.map { header.metrics.loss / $0 - 1 } }

  /// For programs: what was measured and how, the metrics, `floor` and `excess`, and `passed_over`, what is wrong with
  /// newer checkpoints.
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

/// Lines of names and values, the values below each other and their control characters escaped.
package func alignedText(_ rows: [(name: String, value: String)]) -> String {
  let width = rows.reduce(0) { max($0, $1.name.count) } + 2
  return rows.map { $0.name + String(repeating: " ", count: width - $0.name.count) + $0.value.printable() }
    .joined(separator: "\n")
}
