import ArgumentParser
import FileSystem
import Training

/// `seqtrain settings`
struct Settings: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints all settings with their defaults and what they do, as a file for train to begin with.")

  func run() throws {
    try StandardOutput.write(Configuration().yaml)
  }
}
