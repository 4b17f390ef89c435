import TestSupport
import Testing

/// Faults of the program, in optimised code too.
@Suite struct PreconditionsTests {
  @Test(arguments: [
    ("precondition", "Chunks/Matrix.swift", "rows beyond the matrix"),
    ("precondition-failure", "MultiRank/FaultScenarios.swift", "no way goes here"),
  ])
  func `a fault ends the process with a message and its place`(
    _ scenario: String, _ file: String, _ message: String
  ) throws {
    let result = try runProcess(try builtProgram("MultiRank"), [scenario])
    #expect(result.status == 128 + 6, "\(result)")
    let line = result.errors.split(separator: "\n").first.map(String.init) ?? ""
    #expect(line.hasPrefix("seqtrain: internal error: \(message) (\(file):"), "\(line)")
    #expect(line.hasSuffix("); this is a fault of the program, please report it"), "\(line)")
  }

  @Test func `what a condition that holds would say is not computed`() throws {
    let result = try runProcess(try builtProgram("MultiRank"), ["precondition-holds"])
    #expect(result.status == 0, "\(result)")
  }

  /// The standard library's functions would be called, without their messages, where the import is forgotten.
  @Test func `every file that has preconditions imports them`() throws {
    let project = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    var found = 0
    func look(_ path: String) throws {
      for name in try directoryEntries(path) { try look("\(path)/\(name)") }
      guard path.hasSuffix(".swift"), !path.hasSuffix("/Preconditions.swift") else { return }
      let text = String(decoding: try readBytes(path), as: UTF8.self)
      let calls = text.matches(of: /\bprecondition(Failure)?\(/).count
      guard calls > 0 else { return }
      found += 1
      #expect(
        text.contains("\nimport Preconditions\n") || text.hasPrefix("import Preconditions\n"), "\(path)")
    }
    try look("/\(project)/Sources")
    #expect(found > 10)
  }
}
