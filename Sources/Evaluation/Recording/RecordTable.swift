import Chunks
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
  /// What each column is multiplied by, and what is added then: values are in the data's units.
  private let units: [(factor: Double, offset: Double)]
  /// Where it is summed. [streams]
  private let sums: Buffer<Double>?
  /// Where it is kept, in the type of the file. [targets, columns]
  private let reals: Buffer<Float>?
  private let integers: Buffer<Int32>?

  init(_ record: Record, _ description: TargetDescription, streams: Int, targets: Int) {
    self.record = record
    units = (0..<record.columns).map { record.quantity.inDataUnits(description.unit($0)) }
    sums = record.use.contains(.summed) ? Buffer(count: streams) : nil
    let (isKept, count) = (record.use.contains(.kept), targets * record.columns)
    reals = isKept && !record.isInteger ? Buffer(count: count) : nil
    integers = isKept && record.isInteger ? Buffer(count: count) : nil
  }

  /// Takes up the values of a target.
  func take(_ rows: GatheredRecord, _ step: Int, lane: Int, target: Int, stream: Int) {
    let first = target * record.columns
    rows.forEach(step, lane: lane, columns: record.columns) { column, value in
      sums?.base[stream] += value
      reals?.base[first + column] = Float(value * units[column].factor + units[column].offset)
      integers?.base[first + column] = Int32(value)
    }
  }

  func write(to file: File) throws {
    if let sums {
      let path = "streams/\(record.name)"
      let written =
        record.isInteger
        ? try file.write(path, sums.elements.map { Int($0) })
        : try file.write(path, UnsafeBufferPointer(sums.elements), shape: [sums.count])
      try written.attributes.describe(
        "Of each stream's targets, the sum: \(record.description)", units: record.unit)
    }
    if let reals { try write(reals, to: file) }
    if let integers { try write(integers, to: file) }
  }

  private func write<T: Storable>(_ values: Buffer<T>, to file: File) throws {
    let shape = [values.count / record.columns] + (record.columns > 1 ? [record.columns] : [])
    try file.write("targets/\(record.name)", UnsafeBufferPointer(values.elements), shape: shape)
      .attributes.describe("Of each target: \(record.description)", units: record.unit)
  }
}

extension Record.Quantity {
  /// What brings a number to the data's units: what it is multiplied by, and what is added then.
  func inDataUnits(_ unit: TargetDescription.Unit) -> (factor: Double, offset: Double) {
    switch self {
    case .other: (1, 0)
    case .frame: (unit.scale, unit.mean)
    case .variance: (unit.scale * unit.scale, 0)
    }
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
