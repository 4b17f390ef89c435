import Evaluation

/// What an evaluation has found.
public struct EvaluationReport: Sendable {
  /// What was measured, and the result.
  public let header: EvaluationHeader
  /// The split's entropy, below which no model can go, in nats a target; nil where it is not known.
  public let floor: Double?
  /// What is wrong with newer checkpoints of the run; on rank 0.
  public let damaged: [String]

  /// `{"loss","perplexity","bits_per_target","accuracy","targets"}`
  public var json: JSON { .object(header.metrics.members) }

  /// For people: a line each.
  public var text: String {
    guard let floor else { return alignedText(header.rows) }
    let excess = Wording.decimal((header.metrics.loss / floor - 1) * 100, places: 2)
    return alignedText(
      header.rows + [("entropy floor", "\(Wording.decimal(floor, places: 4)) nats; \(excess) % above it")])
  }
}

extension EvaluationHeader {
  /// As rows for people.
  var rows: [(String, String)] {
    [
      ("checkpoint", "\(checkpoint), step \(step)"), ("dataset", "\(dataset), split \(split)"),
    ] + metrics.rows
  }
}

extension Metrics {
  /// As members of a JSON object.
  var members: JSON.Members {
    [
      "loss": .number(loss), "perplexity": .number(perplexity), "bits_per_target": .number(bitsPerTarget),
      "accuracy": .number(accuracy), "targets": .integer(targets),
    ]
  }

  /// As rows for people.
  var rows: [(String, String)] {
    [
      ("loss", "\(Wording.decimal(loss, places: 4)) nats a target"),
      ("perplexity", Wording.decimal(perplexity, places: 4)),
      ("bits a target", Wording.decimal(bitsPerTarget, places: 4)),
      ("accuracy", "\(Wording.decimal(accuracy * 100, places: 2)) %"),
      ("targets", "\(targets)"),
    ]
  }
}

/// Lines of names and values, the values below each other.
func alignedText(_ rows: [(name: String, value: String)]) -> String {
  let width = rows.reduce(0) { max($0, $1.name.count) } + 2
  return rows.map { $0.name + String(repeating: " ", count: width - $0.name.count) + $0.value }
    .joined(separator: "\n")
}
