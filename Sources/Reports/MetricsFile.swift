import FileSystem
import FoundationEssentials
import Glibc
import Training

/// What one logging step has to say about training.
package struct TrainingRow: Sendable, Equatable {
  /// The updates made so far.
  package var step: Int
  /// The passes over the data that are complete.
  package var epoch: Int
  /// Nats a target: the mean over all targets since the row before, without steps that were skipped.
  package var loss: Double
  /// The global norm of this step's gradient before clipping.
  package var norm: Double
  /// Whether this step's gradient was clipped.
  package var clipped: Bool
  /// The learning rate of this step.
  package var learningRate: Double
  /// Targets a second over all ranks, since the row before; validations take no time here.
  package var tokensPerSecond: Double

  /// A row with these values.
  package init(
    step: Int, epoch: Int, loss: Double, norm: Double, clipped: Bool, learningRate: Double,
    tokensPerSecond: Double
  ) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.norm = norm
    self.clipped = clipped
    self.learningRate = learningRate
    self.tokensPerSecond = tokensPerSecond
  }

  var members: JSON.Members {
    [
      "kind": .string("train"), "step": .integer(step), "epoch": .integer(epoch), "loss": .number(loss),
      "norm": .number(norm), "clipped": .bool(clipped), "learning_rate": .number(learningRate),
      "tokens_per_second": .number(tokensPerSecond),
    ]
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

/// What one validation has to say.
package struct ValidationRow: Sendable, Equatable {
  /// The updates made so far.
  package var step: Int
  /// The passes over the data that are complete.
  package var epoch: Int
  /// Nats a target over the validation split.
  package var loss: Double
  /// Whether no validation of the run before was better.
  package var best: Bool

  /// A row with these values.
  package init(step: Int, epoch: Int, loss: Double, best: Bool) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.best = best
  }

  var members: JSON.Members {
    [
      "kind": .string("validation"), "step": .integer(step), "epoch": .integer(epoch), "loss": .number(loss),
      "best": .bool(best),
    ]
  }

  /// The row as a line for people.
  func line(totalSteps: Int) -> String {
    "step \(step)/\(totalSteps)  validation \(Wording.decimal(loss, places: 4))\(best ? "  best so far" : "")"
  }
}

/// `metrics.jsonl`: one object a row, one consistent history over stops, kills and resumes.
///
/// Each row ends with `seconds`, those spent on training and validation in all launches up to it (not those of steps that
/// were made again), and `time`, the time of day in UTC.
package final class MetricsFile {
  /// What was wrong with rows that have been left out; nil where all were sound.
  package let damage: String?
  private let path: String
  private let descriptor: Int32
  private let secondsBefore: Double
  private let start = ContinuousClock.now

  /// Opens the file to append to it, without the rows of what a resume makes again, without a last row that a kill cut
  /// short, and without damaged ones.
  ///
  /// - Parameters:
  ///   - progress: How far the run has come: rows of later steps are dropped.
  /// - Throws: `FileError` where it can't be read, replaced or opened.
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

  /// Waits until all rows have reached the disk.
  package func synchronize() throws {
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw FileError(path, "synchronise with the disk")
    }
  }
}

/// The rows of a metrics file that a resume keeps.
private struct KeptRows {
  var bytes: [UInt8] = []
  /// `seconds` of the last one.
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
    // What a kill has cut short, or nothing.
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

  /// Which lines are no rows.
  var damage: String? {
    guard !damagedLines.isEmpty else { return nil }
    let most = 10
    let numbers = damagedLines.prefix(most).map(String.init).joined(separator: ", ")
    let isMore = damagedLines.count > most
    return
      "\(Wording.counted(damagedLines.count, "damaged line")) left out: \(numbers)\(isMore ? ", ..." : "")"
  }
}
