import Evaluation
import FileSystem
import Sequences

/// A picture, as SVG, of what a model attended to while it said a target: a row for each of its tokens and a column for each
/// position of the source, or where sources are pictures themselves, their grid for each token. The darker, the more.
package struct AttentionPicture {
  /// The picture's file.
  package let text: String

  /// The sides of cells, the height of a line of text, and about the width of its characters.
  private static let (cell, region, line, character) = (20, 12, 16, 8)
  private static let margin = 12
  /// The most grids beside each other.
  private static let gridsInRow = 8

  /// The picture of a target.
  package init(_ target: AttendedTarget, _ header: AlignmentHeader) {
    let labels = target.tokens.map { Self.label(header.target.spellings[Int($0)]) }
    var drawing =
      if let grid = header.grid { Self.grids(target, labels, grid) } else {
        Self.table(
          target, labels,
          (header.spellings(of: target.source) ?? (0..<target.source.count).map(String.init)).map(Self.label))
      }
    drawing.title = "Source \(target.number)"
    text = drawing.text
  }

  private static func table(_ target: AttendedTarget, _ rows: [String], _ columns: [String]) -> Drawing {
    let (left, top) = (margin + width(of: rows), margin + width(of: columns))
    var drawing = Drawing(
      width: left + columns.count * cell + margin, height: top + rows.count * cell + margin)
    for (column, label) in columns.enumerated() {
      drawing.write(label, x: left + column * cell + 14, y: top - 4, isUpright: true)
    }
    for (row, label) in rows.enumerated() {
      drawing.write(label, x: left - 4, y: top + row * cell + 14, endsThere: true)
      for (column, weight) in target.weights[row].enumerated() {
        drawing.fill(x: left + column * cell, y: top + row * cell, side: cell, weight)
      }
    }
    drawing.frame(x: left, y: top, width: columns.count * cell, height: rows.count * cell)
    return drawing
  }

  private static func grids(_ target: AttendedTarget, _ labels: [String], _ grid: FrameGrid) -> Drawing {
    let (width, height) = (grid.columns * region, grid.rows * region)
    let step = (x: max(width, Self.width(of: labels)) + margin, y: height + line + margin)
    let lines = (labels.count + gridsInRow - 1) / gridsInRow
    var drawing = Drawing(
      width: margin + min(labels.count, gridsInRow) * step.x, height: margin + lines * step.y)
    for (index, label) in labels.enumerated() {
      let (x, y) = (margin + index % gridsInRow * step.x, margin + index / gridsInRow * step.y)
      drawing.write(label, x: x, y: y + line - 4)
      for (position, weight) in target.weights[index].enumerated() {
        drawing.fill(
          x: x + position % grid.columns * region, y: y + line + position / grid.columns * region,
          side: region, weight)
      }
      drawing.frame(x: x, y: y + line, width: width, height: height)
    }
    return drawing
  }

  private static func width(of labels: [String]) -> Int {
    8 + character * labels.reduce(0) { max($0, $1.unicodeScalars.count) }
  }

  /// A token, of which something is to be seen whatever it is.
  private static func label(_ token: String) -> String {
    token.replacing(" ", with: "\u{2423}").printable()
  }
}

/// Cells and texts on a white ground.
private struct Drawing {
  let width: Int
  let height: Int
  var title = ""
  private var elements: [String] = []

  init(width: Int, height: Int) { (self.width, self.height) = (width, height) }

  /// A text from a point on, or up to it; or upwards from it.
  mutating func write(_ text: String, x: Int, y: Int, endsThere: Bool = false, isUpright: Bool = false) {
    let anchor = endsThere ? " text-anchor=\"end\"" : ""
    let turn = isUpright ? " transform=\"rotate(-90 \(x) \(y))\"" : ""
    elements.append("<text x=\"\(x)\" y=\"\(y)\"\(anchor)\(turn)>\(Self.escaped(text))</text>")
  }

  /// A cell, as dark as its weight is near 1; none where that would not be seen.
  mutating func fill(x: Int, y: Int, side: Int, _ weight: Float) {
    guard weight >= 0.005 else { return }
    let opacity = Wording.decimal(Double(min(weight, 1)), places: 3)
    elements.append(
      "<rect x=\"\(x)\" y=\"\(y)\" width=\"\(side)\" height=\"\(side)\" fill=\"#08306b\" fill-opacity=\"\(opacity)\"/>"
    )
  }

  mutating func frame(x: Int, y: Int, width: Int, height: Int) {
    elements.append(
      "<rect x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(height)\" fill=\"none\" stroke=\"#808080\"/>"
    )
  }

  var text: String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" \
    font-family="monospace" font-size="13">
    <title>\(Self.escaped(title))</title>
    <rect width="\(width)" height="\(height)" fill="#ffffff"/>
    \(elements.joined(separator: "\n"))
    </svg>

    """
  }

  private static func escaped(_ text: String) -> String {
    [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")].reduce(text) { $0.replacing($1.0, with: $1.1) }
  }
}
