import HDF5
import Sequences
import TestSupport
import Testing

@Suite struct FramesToTextImportTests {
  /// Imports 6 sources of 2 to 7 frames of two columns, whose text this is.
  private func imported(
    _ text: String, offsets: String? = "/o", grid: FrameGrid? = nil, rows: Int = 27,
    _ body: (SequenceDataset, _ remarks: [String]) throws -> Void
  ) throws {
    try withTemporaryDirectory { directory in
      let file = try File.create("\(directory)/a.h5")
      try file.write("x", (0..<2 * rows).map { Float($0 % 11) }, shape: [rows, 2])
      try file.write("o", [0, 2, 5, 9, 14, 20, 27])
      try file.close()
      try writeBytes(text.utf8, to: "\(directory)/t")
      let data = try FramesToTextImport(
        .fractions(["\(directory)/a.h5"], SplitPlan(fractions: [0.5, 0.5], measure: .stream)), source: "/x",
        offsets: offsets, text: "\(directory)/t", grid: grid, minimumCount: 1)
      let remarks = try data.run(output: "\(directory)/d.h5", command: "a test")
      let dataset = try SequenceDataset("\(directory)/d.h5")
      try dataset.verify()
      try body(dataset, remarks)
    }
  }

  @Test func `frames are the sources of lines, normalised by the training part`() throws {
    try imported("a b\n\nb\na\nc\nb b\n") { dataset, remarks throws in
      #expect(remarks == ["1 pair left out: the line is empty"])
      #expect(try dataset.spellings(.input) == ["<unk>", "a", "b", "<begin>", "<end>"])
      #expect(try dataset.tokens(.input) == [3, 1, 2, 4, 3, 2, 4, 3, 1, 4, 3, 0, 4, 3, 2, 2, 4])
      #expect((0..<5).map { dataset.streams.source(of: $0).count } == [2, 4, 5, 6, 7])
      guard case .frames(let columns) = dataset.description.source else {
        Issue.record("no frames")
        return
      }
      #expect(columns.names == ["x 0", "x 1"] && columns.grid == nil)
      // Of the first and third source, frames 0, 1, 5 to 8.
      let first = [0, 1, 5, 6, 7, 8].map { Float(2 * $0 % 11) }
      #expect(abs(columns.means[0] - first.reduce(0, +) / 6) < 1e-6)
      #expect(dataset.origin.files.map { $0.name.suffix(2) } == ["h5", "/t"])
    }
  }

  @Test func `pictures are grids of regions`() throws {
    try imported("a\nb\na\nb\n", offsets: nil, grid: FrameGrid(rows: 2, columns: 3), rows: 24) {
      dataset, _ throws in
      #expect((0..<4).map(dataset.streams.source(of:)) == [0..<6, 6..<12, 12..<18, 18..<24])
      guard case .frames(let columns) = dataset.description.source else { return }
      #expect(columns.grid == FrameGrid(rows: 2, columns: 3))
    }
  }

  @Test func `what does not fit is told`() throws {
    func refusal(_ text: String, offsets: String? = "/o", grid: FrameGrid? = nil) -> String {
      do { try imported(text, offsets: offsets, grid: grid) { _, _ in } } catch { return "\(error)" }
      return "none"
    }
    let six = String(repeating: "a\n", count: 6)
    #expect(refusal(six) == "none")
    #expect(
      refusal(six + "b\n").hasSuffix(
        "/t: there are 7 lines, but 6 sources in /x; expected a line for each: line 7 has no partner"))
    #expect(refusal("a\nb\n").hasSuffix("source 3 has no partner"))
    #expect(refusal("\n\n\n\n\n\n").contains("there is no line of text in "))
    #expect(
      refusal(six, grid: FrameGrid(rows: 2, columns: 3)).hasPrefix(
        "source 0 has 2 positions, expected 6, a grid of 2 x 3"))
    #expect(
      refusal(six, offsets: nil, grid: FrameGrid(rows: 2, columns: 3)).hasPrefix(
        "/x: has 27 rows, expected a multiple of those of a grid of 2 x 3"))
    #expect(refusal(six, offsets: nil, grid: FrameGrid(rows: 0, columns: 3)).contains("a grid of 0 x 3"))
  }
}
