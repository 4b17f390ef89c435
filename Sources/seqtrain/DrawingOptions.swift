import ArgumentParser
import Evaluation
import FileSystem

/// How tokens are drawn.
struct DrawingOptions: ParsableArguments {
  @Option(
    parsing: .unconditional, help: "Below 1, probable tokens become more so; 0 takes the most probable one.")
  var temperature = 1.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Draw from the K most probable tokens; 0 for all.", valueName: "k"))
  var topK = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from the fewest tokens whose probabilities come to P; 1 for all.", valueName: "p"))
  var topP = 1.0

  @Option(help: "The seed of the draws.")
  var seed: UInt64 = 1

  func validate() throws {
    try require(
      temperature >= 0 && temperature.isFinite,
      "--temperature \(temperature): expected a number of at least 0")
    try require(topK >= 0, "--top-k \(topK): expected at least 0")
    try require(topP > 0 && topP <= 1, "--top-p \(topP): expected above 0, at most 1")
  }

  /// Whether they say more than the defaults, besides the seed.
  var areChosen: Bool { temperature != 1 || topK != 0 || topP != 1 }

  var sampler: Sampler { Sampler(temperature: temperature, topK: topK, topP: topP) }
}

/// Throws an error about the command's options unless the condition holds.
func require(_ condition: Bool, _ message: String) throws {
  guard condition else { throw ValidationError(message) }
}

/// Calls `body` with what writes to the standard output, as long as there is a reader: where it has gone, nobody reads what is
/// still to be made.
func writeToReader(_ body: (_ write: ([UInt8]) throws -> Void) throws -> Void) throws {
  struct ReaderHasGone: Error {}
  do {
    try body { guard try StandardOutput.write($0) else { throw ReaderHasGone() } }
  } catch is ReaderHasGone {}
}
