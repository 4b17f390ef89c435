import Chunks
import Core
import HDF5
import MPI
import Sequences

/// Collects the results of an evaluation, stream by stream and target by target, in a file that rank 0 has open.
///
///     /                    kind, format_version, checkpoint, step, dataset, split, loss, ...
///     /streams/loss        float64 [S], the sum of the stream's losses in nats
///     /streams/targets     int64 [S]
///     /streams/correct     int64 [S]
///     /targets/first       int64 [S + 1], the stream's first target, and the end of the last
///     /targets/loss        float32 [P], in nats
///     /targets/prediction  int32 [P], the most probable token
///     /hidden              float32 [P, H], where asked for: the uppermost layer's output for each target
///
/// What is written does not depend on the number of ranks: rank 0 receives the results chunk by chunk and takes
/// them up lane by lane. It keeps 8 bytes a target in memory; hidden states go to the file at once.
package final class EvaluationRecorder {
  private let gathered: [GatheredRecord]
  private let hidden: GatheredRows<Float>?
  private var tables: Tables?

  /// A recorder of all that `evaluator` will compute.
  ///
  /// - Parameters:
  ///   - file: The new file, on rank 0; nil on the others, and where memory is measured.
  ///   - states: Whether the hidden states are written too.
  /// - Throws: `HDF5Error` where the file cannot be written.
  package init(_ evaluator: Evaluator, _ file: File?, states: Bool, communicator: Communicator) throws {
    let lanes = (0..<communicator.size).map(evaluator.lanes(of:))
    let steps = evaluator.schedule.chunk
    let records = evaluator.records.filter(\.isRecorded)
    gathered = records.map {
      GatheredRecord($0, steps: steps, lanesOfRank: lanes, communicator: communicator)
    }
    let width = states ? evaluator.hiddenWidth : nil
    hidden = width.map {
      GatheredRows(steps: steps, columns: $0, lanesOfRank: lanes, communicator: communicator)
    }
    guard communicator.rank == 0 else { return }
    tables = try Tables(file, evaluator.schedule, records, evaluator.description, hiddenWidth: width)
  }

  /// Takes up a chunk. Collective; call with every chunk in turn.
  ///
  /// - Throws: `HDF5Error` where rank 0 cannot write; `MPIError`.
  package func record(_ chunk: EvaluatedChunk) throws {
    for (rows, record) in zip(gathered, chunk.records.filter(\.isRecorded)) {
      try rows.gather(record, rows: chunk.rows)
    }
    try hidden?.gather(
      UnsafeBufferPointer(start: chunk.hidden.base, count: chunk.rows * chunk.hidden.columns))
    try tables?.nextChunk(gathered, hidden)
  }

  /// Completes the file, on rank 0; nothing to do on the others.
  ///
  /// - Throws: `HDF5Error` where it cannot be written.
  package func finish(_ header: EvaluationHeader) throws {
    try tables?.write(header)
  }
}

/// What rank 0 keeps until it is written.
private struct Tables {
  private let records: [RecordTable]
  private let file: File?
  private let streams: StreamTable
  private var walk: ScheduleWalk
  private let states: Dataset?
  /// The hidden states of one piece, [T, H].
  private let piece: Buffer<Float>

  init(
    _ file: File?, _ schedule: Schedule, _ records: [Record], _ description: TargetDescription,
    hiddenWidth: Int?
  ) throws {
    self.file = file
    streams = schedule.streams
    walk = try schedule.walk(lanes: 0..<schedule.lanes)
    let streams = streams
    self.records = records.map {
      RecordTable($0, description, streams: streams.count, targets: streams.pairs)
    }
    if let file, let hiddenWidth {
      states = try file.createDataset("hidden", of: Float.self, shape: [streams.pairs, hiddenWidth])
    } else {
      states = nil
    }
    try states?.attributes.describe("The output of the uppermost layer from which each target was predicted")
    piece = Buffer(count: schedule.chunk * (hiddenWidth ?? 0))
  }

  /// Walks over the next chunk of every lane, and takes up what was gathered of it.
  mutating func nextChunk(_ gathered: [GatheredRecord], _ hidden: GatheredRows<Float>?) throws {
    var walk = walk
    try walk.next { lane, piece in
      guard piece.counts else { return }
      let first = streams.firstPair(of: piece.stream) + piece.offset
      for (place, rows) in gathered.enumerated() {
        for (index, step) in piece.steps.enumerated() {
          records[place].take(rows, step, lane: lane, target: first + index, stream: piece.stream)
        }
      }
      guard let states, let hidden else { return }
      for (index, step) in piece.steps.enumerated() {
        (self.piece.base + index * states.rowSize).update(
          from: hidden.row(step, lane: lane), count: states.rowSize)
      }
      try states.write(
        UnsafeBufferPointer(start: self.piece.base, count: piece.steps.count * states.rowSize),
        rows: first..<first + piece.steps.count)
    }
    self.walk = walk
  }

  func write(_ header: EvaluationHeader) throws {
    guard let file else { return }
    try header.write(to: file)
    let counts = 0..<streams.count
    try file.write("streams/targets", counts.map(streams.pairs(of:))).attributes.describe(
      "The number of each stream's targets", units: "target")
    try file.write("targets/first", (counts.map { $0 } + [streams.count]).map(streams.firstPair(of:)))
      .attributes.describe(
        "Stream s has the targets from first[s] up to, not including, first[s + 1]", units: "target")
    for record in records { try record.write(to: file) }
  }
}

extension Record {
  /// Whether evaluations keep something of it.
  fileprivate var isRecorded: Bool { !use.isDisjoint(with: [.kept, .summed]) }
}
