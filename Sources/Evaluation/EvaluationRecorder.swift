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
  private let losses: GatheredRows<Double>
  private let predictions: GatheredRows<Int32>
  private let correct: GatheredRows<UInt8>
  private let hidden: GatheredRows<Float>?
  private var tables: Tables?

  /// A recorder of all that `evaluator` will compute.
  ///
  /// - Parameters:
  ///   - file: The new file, on rank 0; nil on the others.
  ///   - states: Whether the hidden states are written too.
  /// - Throws: `HDF5Error` where the file cannot be written.
  package init(_ evaluator: Evaluator, _ file: File?, states: Bool, communicator: Communicator) throws {
    let lanes = (0..<communicator.size).map(evaluator.lanes(of:))
    func rows<T>(_ columns: Int, of _: T.Type) -> GatheredRows<T> {
      GatheredRows(
        steps: evaluator.schedule.chunk, columns: columns, lanesOfRank: lanes, communicator: communicator)
    }
    losses = rows(1, of: Double.self)
    predictions = rows(1, of: Int32.self)
    correct = rows(1, of: UInt8.self)
    hidden = states ? rows(evaluator.hiddenWidth, of: Float.self) : nil
    tables = try file.map {
      try Tables($0, evaluator.schedule, hiddenWidth: states ? evaluator.hiddenWidth : nil)
    }
  }

  /// Takes up a chunk. Collective; to be called with every chunk in turn.
  ///
  /// - Throws: `HDF5Error` where rank 0 cannot write; `MPIError`.
  package func record(_ chunk: EvaluatedChunk) throws {
    try losses.gather(chunk.losses)
    try predictions.gather(chunk.predictions)
    try correct.gather(chunk.correct)
    try hidden?.gather(chunk.hidden)
    try tables?.nextChunk { tables, lane, step, target, stream in
      let loss = losses.row(step, lane: lane)[0]
      tables.streamLoss[stream] += loss
      tables.streamCorrect[stream] += Int(correct.row(step, lane: lane)[0])
      tables.targetLoss[target] = Float(loss)
      tables.targetPrediction[target] = predictions.row(step, lane: lane)[0]
      return hidden?.row(step, lane: lane)
    }
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
  var streamLoss: [Double]
  var streamCorrect: [Int]
  var targetLoss: [Float]
  var targetPrediction: [Int32]
  private let file: File
  private let streams: StreamTable
  private var walk: ScheduleWalk
  private let states: Dataset?
  /// The hidden states of one piece, [T, H].
  private let piece: Buffer<Float>

  init(_ file: File, _ schedule: Schedule, hiddenWidth: Int?) throws {
    self.file = file
    streams = schedule.streams
    walk = try schedule.walk(lanes: 0..<schedule.lanes)
    streamLoss = [Double](repeating: 0, count: streams.count)
    streamCorrect = [Int](repeating: 0, count: streams.count)
    targetLoss = [Float](repeating: 0, count: streams.pairs)
    targetPrediction = [Int32](repeating: 0, count: streams.pairs)
    states = try hiddenWidth.map {
      let states = try file.createDataset("hidden", of: Float.self, shape: [schedule.streams.pairs, $0])
      try states.attributes.describe(
        "The output of the uppermost layer from which each target was predicted")
      return states
    }
    piece = Buffer(count: schedule.chunk * (hiddenWidth ?? 0))
  }

  /// Walks over the next chunk of every lane; `take` is given each target's lane and step, its number in the split
  /// and its stream, and returns its hidden state where states are written.
  mutating func nextChunk(
    _ take: (inout Tables, _ lane: Int, _ step: Int, _ target: Int, _ stream: Int) -> UnsafePointer<Float>?
  ) throws {
    var walk = walk
    try walk.next { lane, piece in
      guard piece.counts else { return }
      let first = streams.firstPair(of: piece.stream) + piece.offset
      for (index, step) in piece.steps.enumerated() {
        let state = take(&self, lane, step, first + index, piece.stream)
        if let states, let state {
          (self.piece.base + index * states.rowSize).update(from: state, count: states.rowSize)
        }
      }
      if let states {
        try states.write(
          UnsafeBufferPointer(start: self.piece.base, count: piece.steps.count * states.rowSize),
          rows: first..<first + piece.steps.count)
      }
    }
    self.walk = walk
  }

  func write(_ header: EvaluationHeader) throws {
    try header.write(to: file)
    func write<T: Storable>(_ path: String, _ values: [T], _ description: String, _ units: String) throws {
      try file.write(path, values).attributes.describe(description, units: units)
    }
    let counts = 0..<streams.count
    try write("streams/loss", streamLoss, "The sum of the losses of each stream's targets", "nat")
    try write(
      "streams/targets", counts.map(streams.pairs(of:)), "The number of each stream's targets", "target")
    try write(
      "streams/correct", streamCorrect,
      "How many of each stream's targets the model held to be the most probable token", "target")
    try write(
      "targets/first", (counts.map { $0 } + [streams.count]).map(streams.firstPair(of:)),
      "Stream s has the targets from first[s] up to, not including, first[s + 1]", "target")
    try write("targets/loss", targetLoss, "The loss of each target", "nat")
    try write(
      "targets/prediction", targetPrediction,
      "The most probable token by the model: its number in the vocabulary", "token"
    )
  }
}
