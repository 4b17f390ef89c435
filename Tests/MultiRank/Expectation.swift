/// An expectation that did not hold.
struct FailedExpectation: Error, CustomStringConvertible {
  let description: String
}

/// Throws, naming the line, unless `condition` holds.
func expect(
  _ condition: Bool, _ message: @autoclosure () -> String = "", file: StaticString = #fileID,
  line: UInt = #line
) throws {
  guard condition else { throw FailedExpectation(description: "\(file):\(line): not so \(message())") }
}

/// Throws, showing both, unless the two are equal.
func expectEqual<T: Equatable>(
  _ found: T, _ expected: T, file: StaticString = #fileID, line: UInt = #line
) throws {
  guard found == expected else {
    throw FailedExpectation(description: "\(file):\(line): expected \(expected), found \(found)")
  }
}
