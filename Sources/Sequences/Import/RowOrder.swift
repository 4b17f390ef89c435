/// The order in which rows stand in a dataset: part by part, and stream by stream inside a part. A stream that has rows in
/// several parts is cut there.
struct RowOrder {
  /// The rows, in their order.
  let rows: [Int]
  /// The first place of each stream in that order, and the end of the last.
  private(set) var offsets = [0]
  /// The number of streams up to the end of each part.
  private(set) var ends: [Int] = []
  /// The number that each stream had before.
  private(set) var streams: [Int] = []

  /// Orders rows, of which there is one at least, and of which `parts` and `streams` tell where they belong.
  ///
  /// - Parameters:
  ///   - count: The parts there are at least, where the last may have no rows.
  ///   - precedes: Whether the first of two rows of one stream precedes the second; where neither does, they stay in
  ///     their order.
  init(parts: [UInt8], atLeast count: Int, streams: [Int32], precedes: (Int, Int) -> Bool = { _, _ in false })
  {
    func key(_ row: Int) -> (UInt8, Int32) { (parts[row], streams[row]) }
    func isAhead(_ a: Int, _ b: Int) -> Bool {
      if key(a) != key(b) { return key(a) < key(b) }
      return precedes(a, b) || (!precedes(b, a) && a < b)
    }
    let isOrdered = parts.indices.dropFirst().allSatisfy { isAhead($0 - 1, $0) }
    rows = isOrdered ? Array(parts.indices) : parts.indices.sorted(by: isAhead)
    for (place, row) in rows.enumerated() {
      if place > 0 && key(rows[place - 1]) == key(row) { continue }
      if place > 0 { offsets.append(place) }
      while ends.count < parts[row] { ends.append(self.streams.count) }
      self.streams.append(Int(streams[row]))
    }
    offsets.append(rows.count)
    repeat { ends.append(self.streams.count) } while ends.count < count
  }

  /// The parts that a column or array may name.
  static func part(named name: String) -> UInt8? {
    SplitPlan.names.firstIndex(of: name).map { UInt8($0) }
  }
}
