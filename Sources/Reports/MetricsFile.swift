import Evaluation
import FileSystem
import FoundationEssentials
import Glibc
import Training

/// A row of a logging step.
package struct TrainingRow: Sendable {
  /// Updates made so far.
  package var step: Int
  /// Complete passes over the data.
  package var epoch: Int
  /// The mean over all targets since the previous row, without skipped steps, in nats a target.
  package var loss: Double
  /// Where there is a discriminator: its mean loss in this step, and the model's of being told apart.
  package var adversarial: (discriminator: Double, model: Double)?
  /// The global norm of this step's gradient, before clipping.
  package var norm: Double
  /// Whether this step's gradient was clipped.
  package var clipped: Bool
  /// The learning rate of this step.
  package var learningRate: Double
  /// Targets a second over all ranks since the previous row, without the time of validations.
  package var tokensPerSecond: Double
  /// The rank that has waited least for others since the previous row.
  package var slowestRank: Int
  /// The share of the time since the previous row that a rank, on average, waited for others in steps.
  package var waitShare: Double

  /// A row with these values.
  package init(
    step: Int, epoch: Int, loss: Double, adversarial: (discriminator: Double, model: Double)? = nil,
    norm: Double, clipped: Bool, learningRate: Double, tokensPerSecond: Double, slowestRank: Int,
    waitShare: Double
  ) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.adversarial = adversarial
    self.norm = norm
    self.clipped = clipped
    self.learningRate = learningRate
    self.tokensPerSecond = tokensPerSecond
    self.slowestRank = slowestRank
    self.waitShare = waitShare
  }

  var members: JSON.Members {
    var members: JSON.Members = [
      "kind": .string("train"), "step": .integer(step), "epoch": .integer(epoch), "loss": .number(loss),
    ]
    if let adversarial {
      members.append([
        "discriminator_loss": .number(adversarial.discriminator),
        "professor_loss": .number(adversarial.model),
      ])
    }
    members.append([
      "norm": .number(norm), "clipped": .bool(clipped), "learning_rate": .number(learningRate),
      "tokens_per_second": .number(tokensPerSecond), "slowest_rank": .integer(slowestRank),
      "wait_share": .number(waitShare),
    ])
    return members
  }

  /// The row as a line for people.
  func line(totalSteps: Int, secondsLeft: Double) -> String {
    [
      "step \(step)/\(totalSteps)", "loss \(Wording.decimal(loss, places: 4))",
      "norm \(Wording.decimal(norm, places: 2))\(clipped ? " clipped" : "")",
      "\(Wording.count(tokensPerSecond)) tokens/s", "\(Wording.duration(secondsLeft)) left",
    ].joined(separator: "  ")
  }
}

/// A row of a validation.
package struct ValidationRow: Sendable, Equatable {
  /// Updates made so far.
  package var step: Int
  /// Complete passes over the data.
  package var epoch: Int
  /// The mean loss over the validation split.
  package var loss: Double
  /// What else is told: what decides which validation is the best, and the loss running free.
  package var measured: [Metrics.Value]
  /// Whether this is the run's best validation so far.
  package var best: Bool

  /// A row with these values.
  package init(step: Int, epoch: Int, loss: Double, measured: [Metrics.Value] = [], best: Bool) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.measured = measured
    self.best = best
  }

  var members: JSON.Members {
    var members: JSON.Members = [
      "kind": .string("validation"), "step": .integer(step), "epoch": .integer(epoch), "loss": .number(loss),
    ]
    for measured in measured { members.append([measured.measure.rawValue: .number(measured.value)]) }
    members.append(["best": .bool(best)])
    return members
  }

  /// The row as a line for people.
  func line(totalSteps: Int) -> String {
    let measured = measured.map { "  \($0.measure.title) \(Wording.decimal($0.value, places: 4))" }.joined()
    return "step \(step)/\(totalSteps)  validation \(Wording.decimal(loss, places: 4))\(measured)"
      + (best ? "  best so far" : "")
  }
}

/// `metrics.jsonl`: one JSON object a row, consistent over stops, kills and resumes.
///
/// Each row ends with `seconds`, spent in all launches so far without steps that were made again, and `time`, in UTC.
package final class MetricsFile {
  /// Which rows were damaged and left out; nil if none.
  package let damage: String?
  private let path: String
  private let descriptor: Int32
  private let secondsBefore: Double
  private let start = ContinuousClock.now

  /// Opens the file to append to it; first drops rows that the resume makes again, a last row cut short by a kill, and
  /// damaged rows.
  ///
  /// - Parameter progress: What the run resumes from; rows of later steps are dropped.
  /// - Throws: `FileError` if it can't be read, replaced or opened.
  package init(path: String, resumedFrom progress: TrainingProgress) throws {
    self.path = path
    var rows = KeptRows()
    if Files.exists(path) {
      let bytes = try Files.read(path)
      rows = KeptRows(of: bytes, upTo: progress)
      if rows.bytes.count != bytes.count { try Files.replace(path, with: rows.bytes) }
    }
    secondsBefore = rows.seconds
    damage = rows.damage.map { "\(path): \($0)" }
    descriptor = try Files.open(path, O_WRONLY | O_CREAT | O_APPEND)
  }

  deinit { close(descriptor) }

  /// Adds a row.
  package func append(_ row: JSON.Members) throws {
    var row = row
    row.append([
      "seconds": .number(secondsBefore + (ContinuousClock.now - start) / .seconds(1)),
      "time": .string(Wording.timeOfDay()),
    ])
    try Files.write(Array("\(JSON.object(row).text)\n".utf8), to: descriptor, path: path)
  }

  /// Waits until all rows are on the disk.
  package func synchronize() throws {
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw FileError(path, "synchronise with the disk")
    }
  }
}

/// The rows of a metrics file that a resume keeps.
private struct KeptRows {
  var bytes: [UInt8] = []
  /// `seconds` of the last row.
  var seconds = 0.0
  private var damagedLines: [Int] = []

  private struct Row: Decodable {
    let kind: String
    let step: Int
    let seconds: Double?
  }

  init() {}

  init(of file: [UInt8], upTo progress: TrainingProgress) {
    let decoder = JSONDecoder()
    var lines = file.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // A row cut short by a kill, or nothing.
    if let rest = lines.popLast(), rest.contains(0) { damagedLines.append(lines.count + 1) }
    for (index, line) in lines.enumerated() {
      guard let row = try? decoder.decode(Row.self, from: Data(line)) else {
        damagedLines.append(index + 1)
        continue
      }
      let isMadeAgain = row.kind == "validation" && progress.validationPending
      guard row.step < progress.step || (row.step == progress.step && !isMadeAgain) else { continue }
      bytes += line + [UInt8(ascii: "\n")]
      seconds = row.seconds ?? seconds
    }
    damagedLines.sort()
  }

  /// The numbers of the damaged lines, in words.
  var damage: String? {
    guard !damagedLines.isEmpty else { return nil }
    let most = 10
    let numbers = damagedLines.prefix(most).map(String.init).joined(separator: ", ")
    let isMore = damagedLines.count > most
    return
      "\(Wording.counted(damagedLines.count, "damaged line")) left out: \(numbers)\(isMore ? ", ..." : "")"
  }
}
