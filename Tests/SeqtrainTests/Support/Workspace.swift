import FoundationEssentials
import TestSupport
import Testing

/// A directory of a test's own, in which it starts the program as users do.
struct Workspace {
  /// Where it is; the program runs there.
  let path: String

  /// Lends a new one to `body`, and removes it.
  static func with(_ body: (Workspace) throws -> Void) throws {
    try withTemporaryDirectory { try body(Workspace(path: $0)) }
  }

  /// The path of a file in it.
  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  func write(_ name: String, _ text: String) throws { try writeBytes(text.utf8, to: self(name)) }

  /// The names of what lies there.
  var entries: [String] { get throws { try directoryEntries(path) } }

  /// Runs the program to its end: by itself, or on so many ranks.
  ///
  /// `mpirun` waits a second or two before it kills what is left of a job that has failed; here it need not.
  func seqtrain(ranks: Int? = nil, _ arguments: [String]) throws -> ProcessResult {
    guard let ranks else {
      return try runProcess(try builtProgram("seqtrain"), arguments, directory: path)
    }
    return try mpirun(
      ranks: ranks, "seqtrain", arguments, environment: ["OMPI_MCA_odls_base_sigkill_timeout": "0"],
      directory: path)
  }

  /// Runs the program, which must succeed, and returns what it prints.
  @discardableResult
  func output(
    ranks: Int? = nil, _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    let result = try seqtrain(ranks: ranks, arguments)
    #expect(
      result.status == 0 && !result.errors.contains("seqtrain: "), "\(arguments): \(result)",
      sourceLocation: sourceLocation)
    return result.output
  }

  /// What `inspect --json` says of a run or file.
  func inspect(_ path: String) throws -> CheckpointFacts {
    try decode(CheckpointFacts.self, try output(["inspect", path, "--json"]))
  }

  /// Makes `name`, a dataset of 20,000 generated characters.
  func makeTales(_ name: String = "tales.h5", seed: Int = 1) throws {
    try output([
      "data", "generate", "grammar", "--characters", "20000", "--seed", "\(seed)", "--output", name,
    ])
  }
}

/// The facts of a checkpoint that tests rely on.
struct CheckpointFacts: Decodable, Equatable {
  let kind: String
  let step: Int
  let parameters: Int
  let digest: String
}

/// A value from its JSON.
func decode<Value: Decodable>(_ type: Value.Type, _ json: String) throws -> Value {
  try JSONDecoder().decode(type, from: Data(json.utf8))
}

/// The keys of a JSON text, in their order.
func keys(_ json: String) -> [String] { json.matches(of: /"([a-z_]+)":/).map { String($0.1) } }

/// `--set` before each setting.
func set(_ settings: [String]) -> [String] { settings.flatMap { ["--set", $0] } }

/// Expects that the job has failed in order: status 1, and one message that holds all the fragments.
func expectRefusal(
  _ result: ProcessResult, _ fragments: [String], sourceLocation: SourceLocation = #_sourceLocation
) {
  let messages = result.errors.split(separator: "\n").filter { $0.hasPrefix("seqtrain: error: ") }
  #expect(
    result.status == 1 && !result.timedOut && messages.count == 1, "\(result)", sourceLocation: sourceLocation
  )
  for fragment in fragments {
    #expect(
      messages.first?.contains(fragment) == true, "expected \"\(fragment)\" in \(messages)",
      sourceLocation: sourceLocation)
  }
}
