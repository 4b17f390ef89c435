import Chunks

/// How long the source of each lane is.
struct SourceLengths {
  /// [B]
  var values: UnsafeMutablePointer<Int32> { buffer.base }

  private let buffer: Buffer<Int32>

  init(lanes: Int) { buffer = Buffer(count: lanes) }

  /// B
  var count: Int { buffer.count }

  subscript(lane: Int) -> Int { Int(buffer.base[lane]) }

  /// Takes those of a chunk that is a source: as far as its positions have weight.
  func measure(_ source: Chunk) {
    for lane in 0..<source.lanes { buffer.base[lane] = Int32(source.length(ofLane: lane)) }
  }
}
