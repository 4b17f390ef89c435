import ArgumentParser
import Reports
import Sequences
import Settings

/// `seqtrain data generate NAME`, for each synthetic task.
struct DataGenerateTask<Task: SyntheticTask>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: Task.name, abstract: Task.abstract,
      usage: "seqtrain data generate \(Task.name) [--seed <seed>] --output <output> [sizes]",
      discussion: """
        The dataset states of each of its parts the loss that is optimal, which no model's loss can be below, except by chance. \
        It is a function of seed and sizes alone. An existing dataset is not overwritten.

        \(sizes)
        """)
  }

  private static var sizes: String {
    let lines = Task.sizes.map { size in
      "  --\(size.key) <\(size.key)>  \(size.help). (default: \(size.yaml(Task())); \(size.allowed))"
    }
    return (["SIZES:"] + lines).joined(separator: "\n")
  }

  @Option(help: "The seed of all choices.")
  var seed: UInt64 = 1

  @Option(help: "The dataset to make.", completion: .file(extensions: ["h5"]))
  var output: String

  @Argument(parsing: .allUnrecognized, help: ArgumentHelp("Sizes, as listed above.", visibility: .hidden))
  var sizes: [String] = []

  func run() throws {
    try Task(sizes: assignments()).write(output, seed: seed, command: DataCommand.line)
    try printLine(try SequenceDataset(output).text())
  }

  /// `--length 200` and `--length=200` as `length=200`.
  private func assignments() throws -> [String] {
    var assignments: [String] = []
    var rest = sizes[...]
    while let option = rest.popFirst() {
      guard option.hasPrefix("--") else {
        throw ValidationError("\(option): expected a size, such as --\(Task.sizes[0].key) 100")
      }
      let size = String(option.dropFirst(2))
      if size.contains("=") {
        assignments.append(size)
      } else {
        guard let value = rest.popFirst() else {
          throw ValidationError("\(option): expected a value behind it")
        }
        assignments.append("\(size)=\(value)")
      }
    }
    return assignments
  }
}
