import Preconditions

/// Some lanes over some time steps of a run's chunks: what one rank computes in the same columns of its arrays.
///
/// A rank has one tile, of its lanes over all steps, unless chunks are cut into blocks of time steps: then it has one for
/// each block of a shard's lanes that is its own. To most of a model the lanes of a tile are lanes like others, of a chunk
/// that is as long as a block; only what carries something along time asks which tile comes before.
package struct Tile: Sendable, Equatable {
  /// Its number among those of the run: shard after shard, and of a shard block after block.
  package let number: Int
  /// The blocks that the run's chunks are cut into.
  package let blocks: Int
  /// The lanes of the run.
  package let lanes: Range<Int>
  /// The time steps of the run's chunks.
  package let steps: Range<Int>
  /// Where its lanes are among those of the rank.
  package let columns: Range<Int>

  /// Block `number` mod `blocks` of lanes whose chunks are cut into so many, of `steps` steps each.
  package init(number: Int, of blocks: Int, lanes: Range<Int>, steps: Int, firstColumn: Int) {
    let block = number % blocks
    (self.number, self.blocks, self.lanes) = (number, blocks, lanes)
    self.steps = block * steps..<(block + 1) * steps
    columns = firstColumn..<firstColumn + lanes.count
  }

  /// Whether the chunk begins with it.
  package var isFirst: Bool { number % blocks == 0 }

  /// Whether the chunk ends with it.
  package var isLast: Bool { (number + 1) % blocks == 0 }

  /// The number of the tile with which the chunk begins in its lanes.
  package var firstOfLanes: Int { number - number % blocks }

  /// The number of the tile with which the chunk ends in its lanes.
  package var lastOfLanes: Int { firstOfLanes + blocks - 1 }

  /// All `steps` steps of some lanes, which are all that a rank has.
  package static func whole(_ lanes: Range<Int>, steps: Int) -> Tile {
    Tile(number: 0, of: 1, lanes: lanes, steps: steps, firstColumn: 0)
  }
}

extension [Tile] {
  /// The lanes of the rank: those of all its tiles.
  package var columnCount: Int { last?.columns.upperBound ?? 0 }

  /// The lane of the run that is in a column.
  package func lane(ofColumn column: Int) -> Int {
    guard let tile = first(where: { $0.columns.contains(column) }) else {
      preconditionFailure("the rank has no lane \(column)")
    }
    return tile.lanes.lowerBound + column - tile.columns.lowerBound
  }
}
