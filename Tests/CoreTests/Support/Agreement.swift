import Testing

/// Expects each of `values` to be within `tolerance` of the expected one, relative to the largest of them, or to
/// `scale` where all are smaller.
func expectAgreement(
  _ values: some Sequence<Float>, _ expected: some Sequence<Double>, tolerance: Double, scale: Double = 0.1,
  _ what: @autoclosure () -> String, sourceLocation: SourceLocation = #_sourceLocation
) {
  let (values, expected) = (Array(values), Array(expected))
  guard values.count == expected.count else {
    Issue.record(
      "\(what()): \(values.count) values, expected \(expected.count)", sourceLocation: sourceLocation)
    return
  }
  let bound = tolerance * max(scale, expected.reduce(0) { max($0, abs($1)) })
  // Not finite values are never within the bound.
  let wrong = values.indices.first { !(abs(Double(values[$0]) - expected[$0]) <= bound) }
  if let wrong {
    Issue.record(
      "\(what())[\(wrong)] is \(values[wrong]), expected \(expected[wrong]) within \(bound)",
      sourceLocation: sourceLocation)
  }
}
