/// The allowed values of a setting of an ordered type.
package struct SettingLimits<Value: SettingValue & Comparable>: Sendable, CustomStringConvertible {
  /// What is expected, in words.
  package let description: String
  private let accept: @Sendable (Value) -> Bool

  private init(_ words: String, _ accept: @escaping @Sendable (Value) -> Bool) {
    description = "\(Value.expectation) \(words)"
    self.accept = accept
  }

  /// Whether the value is allowed.
  package func contains(_ value: Value) -> Bool { accept(value) }

  /// From `low` to `high`, both allowed.
  package static func within(_ low: Value, _ high: Value) -> Self {
    Self("from \(low.yaml) to \(high.yaml)") { low <= $0 && $0 <= high }
  }

  /// Above `low`, up to `high`, which is allowed.
  package static func above(_ low: Value, to high: Value) -> Self {
    Self("above \(low.yaml), at most \(high.yaml)") { low < $0 && $0 <= high }
  }
}

extension SettingLimits<Double> {
  /// From 0 to the largest number that float32, in which the kernels compute, tells from 1.
  package static var belowOne: Self { .within(0, 0.9999999) }
}
