import ArgumentParser
import Reports
import Sequences

/// The files of an import, what of them is for training, validation and test, and the dataset that it makes.
struct ImportedParts: ParsableArguments {
  @Argument(
    help: """
      Files, folders (all files in them and below, by name, but hidden ones), patterns, and - for standard input, in \
      their order.
      """, completion: .file())
  var files: [String] = []

  @Option(help: "The dataset to make.", completion: .file(extensions: ["h5"]))
  var output: String

  @Option(
    help: ArgumentHelp(
      "The parts of these files for training, validation and, where there are three, test. (default: 0.9,0.05,0.05)",
      valueName: "parts"), transform: fractions)
  var split: [Double]?

  @Option(
    help: ArgumentHelp(
      "In place of files that are divided: a file for training. It may be repeated, as the next two.",
      valueName: "file"), completion: .file())
  var train: [String] = []

  @Option(help: ArgumentHelp("A file for validation.", valueName: "file"), completion: .file())
  var validation: [String] = []

  @Option(help: ArgumentHelp("A file for test.", valueName: "file"), completion: .file())
  var test: [String] = []

  private var groups: [[String]] { [train, validation] + (test.isEmpty ? [] : [test]) }
  private var isByFiles: Bool { groups.contains { !$0.isEmpty } }

  func validate() throws {
    try require(
      files.isEmpty || !isByFiles, "give files to be divided, or --train, --validation and --test, not both")
    try require(isByFiles || !files.isEmpty, "there are no files to import; name one or more")
    try require(
      !isByFiles || !train.isEmpty && !validation.isEmpty,
      "files for each part need --train and --validation; --test may be left out")
  }

  /// What they say.
  ///
  /// - Parameters:
  ///   - measure: What the fractions are fractions of.
  ///   - name: The column or array that tells the parts, where one does.
  func plan(by measure: SplitPlan.Measure? = nil, named name: String? = nil) throws -> PartPlan {
    guard [isByFiles, split != nil, name != nil].count(where: \.self) < 2 else {
      throw ValidationError(
        "--split, --split-name and files for each part exclude each other; give one of them")
    }
    guard !isByFiles else { return .files(groups) }
    if let name { return .named(name, files) }
    return .fractions(files, try SplitPlan(fractions: split ?? [0.9, 0.05, 0.05], measure: measure))
  }

  private static func fractions(_ text: String) throws -> [Double] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard let fraction = Double(part) else {
        throw ValidationError("--split \(text): expected numbers separated by commas, such as 0.9,0.05,0.05")
      }
      return fraction
    }
  }
}

extension ParsableCommand {
  /// Makes the dataset `output` by `work`, which is told how to show its progress and returns remarks, and shows what it
  /// holds.
  func showImport(of output: String, _ work: (@escaping (Double) -> Void) throws -> [String]) throws {
    let console = Console()
    var shown = -1
    let remarks = try work { part in
      if case let percent = Int(part * 100), percent > shown {
        shown = percent
        console.progress("reading: \(percent) %")
      }
    }
    console.progress("")
    for remark in remarks { report(warning: remark) }
    try printLine(try SequenceDataset(output).text())
  }

  func showImport(_ data: some DatasetImport, to output: String) throws {
    try showImport(of: output) { try data.run(output: output, command: DataCommand.line, progress: $0) }
  }
}
