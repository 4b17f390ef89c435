import ArgumentParser
import Sequences

/// `seqtrain data`
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Makes and shows datasets.",
    subcommands: [Import.self, Generate.self, DataInfo.self, DataSeal.self])

  /// `seqtrain data import`
  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import", abstract: "Makes a dataset from files.",
      subcommands: [
        DataImportText.self, DataImportPairs.self, DataImportLabelled.self, DataImportClasses.self,
        DataImportTable.self,
        DataImportHDF5.self,
      ])
  }

  /// `seqtrain data generate`
  struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "generate", abstract: "Makes a dataset from random numbers.",
      subcommands: SyntheticTasks.all.map { command(for: $0) })

    private static func command<Task: SyntheticTask>(for task: Task.Type) -> any ParsableCommand.Type {
      DataGenerateTask<Task>.self
    }
  }

  /// Names the commands that there are, where `arguments`, the command line, asks for another one: the parser would take
  /// its name for an argument too many.
  static func requireKnown(_ arguments: [String]) throws {
    guard arguments.dropFirst().first == "data" else { return }
    var path = "seqtrain data"
    var commands = configuration.subcommands
    for name in arguments.dropFirst(2) where !commands.isEmpty && !name.hasPrefix("-") {
      guard let command = commands.first(where: { $0.configuration.commandName == name }) else {
        let known = commands.compactMap { $0.configuration.commandName }.joined(separator: ", ")
        throw ValidationError("\(path) \(name): there is no such command; after \(path) there is: \(known)")
      }
      path += " \(name)"
      commands = command.configuration.subcommands
    }
  }

  /// The command line as it could be given again, for a dataset to tell of its origin.
  static var line: String {
    (["seqtrain"] + CommandLine.arguments.dropFirst()).map { argument in
      let isPlain = argument.allSatisfy { $0.isLetter || $0.isNumber || "-_./,=:+@%".contains($0) }
      guard argument.isEmpty || !isPlain else { return argument }
      // The shell's own quotes: a quotation mark inside them ends them, stands for itself, and begins them anew.
      return "'" + argument.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
        + "'"
    }.joined(separator: " ")
  }
}
