import Chunks
import Core
import Preconditions
import Sequences

/// What a model predicts of a stream, position by position, in the data's units.
package struct StreamPrediction: Sendable {
  /// The stream's number.
  package let stream: Int
  /// The position of the first thing that is predicted; the others follow it.
  package let firstPosition: Int
  /// For each of the model's columns its numbers, one row a position.
  package internal(set) var values: [[Double]]
}

/// A part of what a model predicts at each position.
package struct PredictionColumns: Sendable {
  /// `prediction`, `probability` or `variance`.
  package let name: String
  /// What it is.
  package let description: String
  /// Numbers a position.
  package let width: Int
  let units: [(factor: Double, offset: Double)]
}

/// Plays streams through a model, several side by side, from their beginnings on; needs their inputs alone.
///
/// The state is carried from chunk to chunk even where training begins every chunk with zero: how streams are cut into
/// chunks here should decide nothing.
package final class StreamPlayer {
  /// What is predicted of each position.
  package let columns: [PredictionColumns]

  private let model: Model
  /// What `columns` are made of.
  private let predicted: [Record]
  private let chunk: Chunk
  private let description: DataDescription

  /// Streams that are played side by side, and the steps that are computed at once where nothing asks for more.
  private static let (lanes, steps) = (16, 64)

  /// - Parameters:
  ///   - description: The data that the model was trained on.
  ///   - longest: The longest stream, where streams must be in one chunk; otherwise nil.
  package init(
    _ configuration: ModelConfiguration, _ description: DataDescription, memory: ParameterMemory,
    longest: Int?
  ) {
    let shape = ChunkShape(steps: max(1, longest ?? Self.steps), shards: 1, lanesPerShard: Self.lanes)
    model = Model(
      configuration.carryingState, tracks: description.tracks, memory: memory.withoutGradients, shape: shape,
      precision: .float32)
    chunk = Chunk(steps: shape.steps, lanes: Self.lanes, tracks: description.tracks)
    self.description = description
    let targets = description.targets
    predicted = model.records.filter { $0.use.contains(.predicted) }
    columns = predicted.map { record in
      PredictionColumns(
        name: record.name, description: record.description, width: record.columns,
        units: (0..<record.columns).map { record.quantity.inDataUnits(targets.unit($0)) })
    }
  }

  /// Predicts at every position of all streams of a table.
  ///
  /// - Parameter body: Called stream by stream.
  /// - Throws: `HDF5Error` or `DataError` where the inputs can't be read; what `body` throws.
  package func predict(
    _ source: any StreamSource, _ streams: StreamTable, body: (StreamPrediction) throws -> Void
  ) throws {
    try forEachGroup(of: source, streams) { lanes in
      let longest = lanes.reduce(0) { max($0, $1.count) }
      var found = lanes.map {
        StreamPrediction(stream: $0.stream, firstPosition: description.horizon, values: [])
      }
      for first in stride(from: 0, to: longest, by: chunk.capacity) {
        let count = min(chunk.capacity, longest - first)
        play(count, lanes: lanes.count, isFirst: first == 0) { t, lane in
          first + t < lanes[lane].count ? lanes[lane].input(first + t) : nil
        } initial: {
          lanes[$0].initial
        }
        for lane in lanes.indices {
          for t in 0..<max(0, min(count, lanes[lane].count - first)) {
            found[lane].values.append(values(ofRow: t * chunk.lanes + lane))
          }
        }
      }
      for prediction in found { try body(prediction) }
    }
  }

  /// Goes on with every stream for so many positions behind its end: what the model expects of the next position is what
  /// it reads there.
  ///
  /// - Precondition: The model predicts the next frame of its input.
  package func forecast(
    _ source: any StreamSource, _ streams: StreamTable, steps: Int, body: (StreamPrediction) throws -> Void
  ) throws {
    precondition(description.predictsNextFrame, "only what is like the input can be read as input")
    try forEachGroup(of: source, streams) { lanes in
      var found = lanes.map { StreamPrediction(stream: $0.stream, firstPosition: $0.count, values: []) }
      let shortest = lanes.reduce(Int.max) { min($0, $1.count) }
      let end = steps + lanes.reduce(0) { max($0, $1.count) } - 1
      var (position, expected) = (0, lanes.map { _ in [Float]() })
      while position < end {
        let count = position < shortest ? min(chunk.capacity, shortest - position) : 1
        play(count, lanes: lanes.count, isFirst: position == 0) { t, lane in
          position + t < lanes[lane].count
            ? lanes[lane].input(position + t) : .frame(expected[lane][...])
        } initial: {
          lanes[$0].initial
        }
        position += count
        for lane in lanes.indices where position >= lanes[lane].count {
          let row = (count - 1) * chunk.lanes + lane
          expected[lane] = normalizedPrediction(ofRow: row)
          if found[lane].values.count < steps { found[lane].values.append(values(ofRow: row)) }
        }
      }
      for prediction in found { try body(prediction) }
    }
  }

  /// The streams, as many at a time as there are lanes.
  private func forEachGroup(
    of source: any StreamSource, _ streams: StreamTable, _ body: ([PlayedStream]) throws -> Void
  ) throws {
    for first in stride(from: 0, to: streams.count, by: Self.lanes) {
      try body(
        (first..<min(first + Self.lanes, streams.count)).map {
          try PlayedStream(source, description, streams, stream: $0)
        })
    }
  }

  /// Has the model play a chunk; a lane without an input idles.
  private func play(
    _ steps: Int, lanes: Int, isFirst: Bool, input: (_ t: Int, _ lane: Int) -> PositionValue?,
    initial: (_ lane: Int) -> PositionValue?
  ) {
    chunk.clear(steps: steps)
    if isFirst { model.clearStates() }
    for t in 0..<steps {
      for lane in 0..<lanes {
        guard let value = input(t, lane) else { continue }
        let row = t * chunk.lanes + lane
        chunk.resets[row] = isFirst && t == 0 ? 1 : 0
        value.write(to: chunk, .input, row: row)
        if isFirst && t == 0 { initial(lane)?.write(to: chunk, .initial, row: row) }
      }
    }
    model.evaluate(chunk, .prediction)
  }

  /// What is predicted at a row of the chunk, in the data's units.
  private func values(ofRow row: Int) -> [Double] {
    zip(predicted, columns).flatMap { record, columns in
      (0..<columns.width).map {
        record.number(at: row * columns.width + $0) * columns.units[$0].factor + columns.units[$0].offset
      }
    }
  }

  /// The frame that is expected at a row, as the model reads it.
  private func normalizedPrediction(ofRow row: Int) -> [Float] {
    let width = columns[0].width
    return (0..<width).map { Float(predicted[0].number(at: row * width + $0)) }
  }
}

extension DataDescription {
  /// Whether a model of such data says of each frame which comes next.
  package var predictsNextFrame: Bool {
    guard case .frames = input else { return false }
    return stored[.target] == nil && horizon == 1
  }

  /// The tracks that are there before anything is predicted.
  package var inputs: DataDescription {
    get throws { try DataDescription(stored.filter { $0.key == .input || $0.key == .initial }, horizon: 1) }
  }
}

/// The inputs of a stream, as a model reads them.
private struct PlayedStream {
  let stream: Int
  let count: Int
  let initial: PositionValue?
  private let inputs: StreamValues

  init(
    _ source: any StreamSource, _ description: DataDescription, _ streams: StreamTable, stream: Int
  ) throws {
    let positions = streams.offset(stream)..<streams.offset(stream + 1)
    self.stream = stream
    count = positions.count
    inputs = try Self.values(.input, description.input, source, rows: positions)
    let number = streams.number(of: stream)
    initial = try description.stored[.initial].map {
      try Self.values(.initial, $0, source, rows: number..<number + 1)[0]
    }
  }

  private static func values(
    _ role: TrackRole, _ track: TrackDescription, _ source: any StreamSource, rows: Range<Int>
  ) throws -> StreamValues {
    try StreamValues(
      track, tokens: { try source.readTokens(role, rows: rows) },
      frames: { try source.readFrames(role, rows: rows) })
  }

  func input(_ position: Int) -> PositionValue { inputs[position] }
}
