import Core
import HDF5
import MPI
import Preconditions

/// A record of all lanes, brought together on rank 0.
enum GatheredRecord {
  case doubles(GatheredRows<Double>)
  case floats(GatheredRows<Float>)
  case integers(GatheredRows<Int32>)
  case counts(GatheredRows<UInt8>)

  init(_ record: Record, steps: Int, lanesOfRank: [Range<Int>], communicator: Communicator) {
    func rows<T>() -> GatheredRows<T> {
      GatheredRows(
        steps: steps, columns: record.columns, lanesOfRank: lanesOfRank, communicator: communicator)
    }
    self =
      switch record.values {
      case .doubles: .doubles(rows())
      case .floats: .floats(rows())
      case .integers: .integers(rows())
      case .counts: .counts(rows())
      }
  }

  /// Brings together what the ranks have of a chunk. Collective.
  func gather(_ record: Record, rows: Int) throws {
    func own<T>(_ values: UnsafePointer<T>) -> UnsafeBufferPointer<T> {
      UnsafeBufferPointer(start: values, count: rows * record.columns)
    }
    switch (self, record.values) {
    case (.doubles(let gathered), .doubles(let values)): try gathered.gather(own(values))
    case (.floats(let gathered), .floats(let values)): try gathered.gather(own(values))
    case (.integers(let gathered), .integers(let values)): try gathered.gather(own(values))
    case (.counts(let gathered), .counts(let values)): try gathered.gather(own(values))
    default: preconditionFailure("a record keeps its type")
    }
  }

  /// On rank 0, the numbers of a lane at a step, one after another.
  func forEach(_ step: Int, lane: Int, columns: Int, _ body: (_ column: Int, _ value: Double) -> Void) {
    func visit<T>(_ rows: GatheredRows<T>, _ number: (T) -> Double) {
      let row = rows.row(step, lane: lane)
      for column in 0..<columns { body(column, number(row[column])) }
    }
    switch self {
    case .doubles(let rows): visit(rows) { $0 }
    case .floats(let rows): visit(rows) { Double($0) }
    case .integers(let rows): visit(rows) { Double($0) }
    case .counts(let rows): visit(rows) { Double($0) }
    }
  }
}

/// What rank 0 keeps of a record: its sums by stream, and its values by target.
struct RecordTable {
  private let record: Record
  /// Where it is summed. [streams]
  private var sums: [Double]
  /// Where it is kept, in the type of the file. [targets, columns]
  private var reals: [Float] = []
  private var integers: [Int32] = []

  init(_ record: Record, streams: Int, targets: Int) {
    self.record = record
    sums = record.use.contains(.summed) ? [Double](repeating: 0, count: streams) : []
    guard record.use.contains(.kept) else { return }
    if record.isInteger {
      integers = [Int32](repeating: 0, count: targets * record.columns)
    } else {
      reals = [Float](repeating: 0, count: targets * record.columns)
    }
  }

  /// Takes up the values of a target.
  mutating func take(_ rows: GatheredRecord, _ step: Int, lane: Int, target: Int, stream: Int) {
    let first = target * record.columns
    rows.forEach(step, lane: lane, columns: record.columns) { column, value in
      if !sums.isEmpty { sums[stream] += value }
      if !reals.isEmpty { reals[first + column] = Float(value) }
      if !integers.isEmpty { integers[first + column] = Int32(value) }
    }
  }

  func write(to file: File) throws {
    if record.use.contains(.summed) {
      let path = "streams/\(record.name)"
      let sums =
        record.isInteger ? try file.write(path, self.sums.map { Int($0) }) : try file.write(path, self.sums)
      try sums.attributes.describe(
        "Of each stream's targets, the sum: \(record.description)", units: record.unit)
    }
    guard record.use.contains(.kept) else { return }
    let shape =
      [max(reals.count, integers.count) / record.columns] + (record.columns > 1 ? [record.columns] : [])
    let path = "targets/\(record.name)"
    let values =
      record.isInteger
      ? try integers.withUnsafeBufferPointer { try file.write(path, $0, shape: shape) }
      : try reals.withUnsafeBufferPointer { try file.write(path, $0, shape: shape) }
    try values.attributes.describe("Of each target: \(record.description)", units: record.unit)
  }
}

extension Record {
  /// Whether it holds whole numbers.
  fileprivate var isInteger: Bool {
    switch values {
    case .integers, .counts: true
    case .doubles, .floats: false
    }
  }
}
