import Synchronization

/// Counts the memory of the buffers that something is made of, without taking it.
///
/// The memory needed is thus known from the very code that takes it. During a measurement, buffers have an address that
/// is not mapped: whatever is made then may be put together and thrown away, but not used.
package final class MemoryMeasurement: Sendable {
  @TaskLocal package static var current: MemoryMeasurement?

  private let bytes = Atomic(0)
  private let peak = Atomic(0)

  private init() {}

  /// The most bytes that the buffers made by `body` take at a time; those of the value that it returns all together.
  package static func peakBytes<Value>(of body: () throws -> Value) rethrows -> Int {
    let measurement = MemoryMeasurement()
    let value = try $current.withValue(measurement, operation: body)
    return withExtendedLifetime(value) { measurement.peak.load(ordering: .relaxed) }
  }

  /// What `body` makes of buffers that are counted elsewhere.
  package static func uncounted<Value>(_ body: () throws -> Value) rethrows -> Value {
    try $current.withValue(MemoryMeasurement(), operation: body)
  }

  /// Counts a buffer; sums beyond all integers stay at the largest.
  func add(_ count: Int) {
    let (sum, overflows) = bytes.load(ordering: .relaxed).addingReportingOverflow(count)
    bytes.store(overflows ? .max : sum, ordering: .relaxed)
    peak.max(overflows ? .max : sum, ordering: .relaxed)
  }

  /// Counts a buffer that is gone.
  func remove(_ count: Int) { bytes.subtract(min(count, bytes.load(ordering: .relaxed)), ordering: .relaxed) }
}
