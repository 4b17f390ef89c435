import Chunks

/// Passes what tiles leave to the ranks of others. Between two ranks values arrive in the order in which they are sent.
///
/// It can't say that it has failed, since layers could do nothing about it; whoever has made it asks.
package protocol TileMessages: AnyObject {
  /// Begins to send values, which stay as they are until `finish`, to the rank of a tile.
  func send(_ values: UnsafeBufferPointer<Float>, toTile number: Int)
  /// Waits for values from the rank of a tile.
  func receive(into values: UnsafeMutableBufferPointer<Float>, fromTile number: Int)
  /// Waits until all that was sent may be overwritten.
  func finish()
}

/// The tiles of a rank in the order of time, and what passes between each and its neighbours in time, whoever has these.
///
/// A layer goes through its tiles forward, and backward in reverse: `enter`, compute, `leave`. So a state has the bits that
/// it would have if the chunk were not cut. Meanwhile the ranks before are at what follows in the model already, and those
/// behind wait once a pass, not once a layer; going twice through each block, to have the states between blocks sooner,
/// would cost every layer as much again. All arrays are [B, W], a row a lane of the rank.
struct Timeline {
  let tiles: [Tile]
  private let messages: (any TileMessages)?
  private let meter: StepMeter

  init(tiles: [Tile], messages: (any TileMessages)?, meter: StepMeter) {
    self.tiles = tiles
    self.messages = messages
    self.meter = meter
  }

  /// Before a tile is computed: what the tile before it has left in `leaving` enters it, unless the chunk begins.
  func enter(_ tile: Tile, from leaving: Matrix, into entering: Matrix) {
    if !tile.isFirst { take(leaving, ofTile: tile.number - 1, into: entering.rows(tile.columns)) }
  }

  /// After that.
  func leave(_ tile: Tile, _ leaving: Matrix) {
    if !tile.isLast { give(leaving.rows(tile.columns), toTile: tile.number + 1) }
  }

  /// Before the backward pass of a tile: the gradient of what leaves it is that of what has entered the tile behind, unless
  /// the chunk ends.
  func enterBackward(_ tile: Tile, from entering: Matrix, into leaving: Matrix) {
    if !tile.isLast { take(entering, ofTile: tile.number + 1, into: leaving.rows(tile.columns)) }
  }

  /// After that.
  func leaveBackward(_ tile: Tile, _ entering: Matrix) {
    if !tile.isFirst { give(entering.rows(tile.columns), toTile: tile.number - 1) }
  }

  /// At the end of a chunk: what the last tile of each lane has left is where its first one goes on in the next.
  func handOver(_ states: [CarriedState]) {
    finish()
    for state in states {
      for tile in tiles where tile.isLast && !tile.isFirst {
        give(state.values.rows(tile.columns), toTile: tile.firstOfLanes)
      }
      for tile in tiles where tile.isFirst && !tile.isLast {
        take(state.values, ofTile: tile.lastOfLanes, into: state.values.rows(tile.columns))
      }
    }
    finish()
  }

  private func finish() {
    if let messages { meter.measure(.exchange) { messages.finish() } }
  }

  /// The rows of a tile of this rank, or what the rank of another sends.
  private func take(_ values: Matrix, ofTile number: Int, into rows: Matrix) {
    guard rows.count > 0 else { return }
    if let other = own(number) { return rows.copy(from: values.rows(other.columns)) }
    meter.measure(.exchange) {
      messages?.receive(
        into: UnsafeMutableBufferPointer(start: rows.base, count: rows.count), fromTile: number)
    }
  }

  /// Sends rows to the rank of a tile, unless that is this one.
  private func give(_ rows: Matrix, toTile number: Int) {
    guard rows.count > 0, own(number) == nil else { return }
    messages?.send(UnsafeBufferPointer(start: rows.base, count: rows.count), toTile: number)
  }

  private func own(_ number: Int) -> Tile? {
    let index = number - tiles[0].number
    return tiles.indices.contains(index) ? tiles[index] : nil
  }
}
