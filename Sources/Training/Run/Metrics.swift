import FileSystem
import Glibc

/// What one logging step has to say about training.
public struct TrainingRow: Sendable, Equatable {
  /// The updates made so far.
  public var step: Int
  /// The passes over the data that are complete.
  public var epoch: Int
  /// Nats a target, over this step's targets.
  public var loss: Double
  /// The global norm of this step's gradient before clipping.
  public var norm: Double
  /// Whether this step's gradient was clipped.
  public var clipped: Bool
  /// The learning rate of this step.
  public var learningRate: Double
  /// Targets a second over all ranks, since the row before.
  public var tokensPerSecond: Double
  /// Seconds since the start of this launch.
  public var seconds: Double

  /// A row with these values.
  public init(
    step: Int, epoch: Int, loss: Double, norm: Double, clipped: Bool, learningRate: Double,
    tokensPerSecond: Double, seconds: Double
  ) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.norm = norm
    self.clipped = clipped
    self.learningRate = learningRate
    self.tokensPerSecond = tokensPerSecond
    self.seconds = seconds
  }

  var json: JSON {
    .object([
      "kind": .string("train"), "step": .integer(step), "epoch": .integer(epoch), "loss": .number(loss),
      "norm": .number(norm), "clipped": .bool(clipped), "learning_rate": .number(learningRate),
      "tokens_per_second": .number(tokensPerSecond), "seconds": .number(seconds),
    ])
  }
}

/// What one validation has to say.
public struct ValidationRow: Sendable, Equatable {
  /// The updates made so far.
  public var step: Int
  /// The passes over the data that are complete.
  public var epoch: Int
  /// Nats a target over the validation split.
  public var loss: Double
  /// Whether no validation of the run before was better.
  public var best: Bool
  /// Seconds since the start of this launch.
  public var seconds: Double

  /// A row with these values.
  public init(step: Int, epoch: Int, loss: Double, best: Bool, seconds: Double) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.best = best
    self.seconds = seconds
  }

  var json: JSON {
    .object([
      "kind": .string("validation"), "step": .integer(step), "epoch": .integer(epoch), "loss": .number(loss),
      "best": .bool(best), "seconds": .number(seconds),
    ])
  }
}

/// `metrics.jsonl`: one object a row, one consistent history over stops, kills and resumes.
package final class MetricsFile {
  private let path: String
  private let descriptor: Int32

  /// Opens the file to append to it, without the rows of steps that a resume makes again and without a last row that
  /// a kill cut short.
  ///
  /// - Throws: `FileError` where it can't be read, replaced or opened.
  package init(path: String, resumedStep: Int) throws {
    self.path = path
    if Files.exists(path) {
      let bytes = try Files.read(path)
      let kept = Self.rows(of: bytes, upTo: resumedStep)
      if kept.count != bytes.count { try Files.replace(path, with: kept) }
    }
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileError(path, "open") }
  }

  deinit { close(descriptor) }

  /// Adds a row.
  package func append(_ row: JSON) throws {
    try Files.write(Array("\(row.text)\n".utf8), to: descriptor, path: path)
  }

  /// The complete rows up to a step.
  private static func rows(of bytes: [UInt8], upTo step: Int) -> [UInt8] {
    var kept: [UInt8] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      let line = rest[...end]
      rest = rest[(end + 1)...]
      if let found = stepNumber(in: line), found <= step { kept += line }
    }
    return kept
  }

  private static func stepNumber(in line: ArraySlice<UInt8>) -> Int? {
    let text = String(decoding: line, as: UTF8.self)
    guard let name = text.firstRange(of: "\"step\":") else { return nil }
    return Int(text[name.upperBound...].prefix { $0.isNumber })
  }
}
