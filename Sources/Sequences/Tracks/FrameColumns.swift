import FileSystem

/// How the positions of a picture lie: row by row.
package struct FrameGrid: Sendable, Equatable {
  /// The rows of a picture.
  package let rows: Int
  /// The columns of a picture.
  package let columns: Int

  /// A grid of so many rows and columns.
  package init(rows: Int, columns: Int) { (self.rows, self.columns) = (rows, columns) }
}

/// What the columns of a track of frames are, and how a model sees them: as (value - mean) / scale.
///
/// Files hold values in the data's own units; they are normalised where a chunk is written.
package struct FrameColumns: Sendable, Equatable {
  /// The columns' names.
  package let names: [String]
  /// Their units, empty where a column has none.
  package let units: [String]
  /// What is subtracted from each column's values. In float32, so that a value at the mean becomes exactly 0.
  package let means: [Float]
  /// By what each column's values are divided then.
  package let scales: [Float]
  /// Whether all values are 0 or 1.
  package let isBinary: Bool
  /// How the positions of each source lie, where sources are pictures of one size.
  package let grid: FrameGrid?

  /// Columns of these names.
  ///
  /// - Parameters:
  ///   - units: One a column; none where left out.
  ///   - means: One a column; 0 where left out.
  ///   - scales: One a column; 1 where left out.
  ///   - grid: How positions lie in pictures.
  /// - Throws: `DataError` where there is no column, numbers differ, a mean is not finite, a scale is not above 0,
  ///   binary columns would be normalised, or a grid has no rows or columns.
  package init(
    _ names: [String], units: [String]? = nil, means: [Float]? = nil, scales: [Float]? = nil,
    isBinary: Bool = false, grid: FrameGrid? = nil
  ) throws {
    self.names = names
    self.units = units ?? names.map { _ in "" }
    self.means = means ?? names.map { _ in 0 }
    self.scales = scales ?? names.map { _ in 1 }
    self.isBinary = isBinary
    self.grid = grid
    try check()
  }

  private func check() throws {
    guard !names.isEmpty else { throw DataError("there are no columns; frames have one or more") }
    for (what, count) in [("units", units.count), ("means", means.count), ("scales", scales.count)]
    where count != width {
      throw DataError("\(Wording.counted(width, "column")), but \(count) \(what); give each column one")
    }
    for column in 0..<width {
      guard means[column].isFinite, scales[column].isFinite, scales[column] > 0 else {
        throw DataError(
          "column \(column) (\(names[column])) has the mean \(means[column]) and the scale \(scales[column]); expected "
            + "finite numbers, and a scale above 0")
      }
    }
    if let grid, grid.rows < 1 || grid.columns < 1 {
      throw DataError("the grid is \(grid.rows) x \(grid.columns), expected 1 x 1 or more")
    }
    guard !isBinary || !isNormalized else {
      throw DataError("binary columns have means and scales; leave them out: 0 and 1 stay as they are")
    }
  }

  /// D, the number of columns.
  package var width: Int { names.count }

  /// Whether values are changed for the model.
  package var isNormalized: Bool { means.contains { $0 != 0 } || scales.contains { $0 != 1 } }

  /// A value of a column as a model sees it.
  @inline(__always)
  package func normalized(_ value: Float, column: Int) -> Float { (value - means[column]) / scales[column] }
}

extension TrackDescription {
  /// Throws where sources are pictures, and one has not as many positions as their grid.
  func requireGrid(of streams: StreamTable) throws {
    guard case .frames(let columns) = self, let grid = columns.grid else { return }
    guard
      let odd = (0..<streams.count).first(where: { streams.source(of: $0).count != grid.rows * grid.columns })
    else { return }
    throw DataError(
      "source \(odd) has \(Wording.counted(streams.source(of: odd).count, "position")), expected "
        + "\(grid.rows * grid.columns), a grid of \(grid.rows) x \(grid.columns)")
  }
}
