import Preconditions

/// The shape of the chunks that one rank computes with.
///
/// Where chunks are cut into blocks of time steps, it computes with blocks: what are steps here are those of a block, and each
/// of its tiles counts as a shard.
package struct ChunkShape: Sendable, Equatable {
  /// T, the time steps of a chunk.
  package let steps: Int
  /// S, the time steps of its source, where streams are pairs.
  package let sourceSteps: Int
  /// The shards of the rank.
  package let shards: Int
  /// The lanes of each shard.
  package let lanesPerShard: Int

  /// The shape of `shards` shards of `lanesPerShard` lanes, T `steps` long, with sources of S `sourceSteps`.
  package init(steps: Int, sourceSteps: Int = 0, shards: Int, lanesPerShard: Int) {
    precondition(steps > 0 && shards > 0 && lanesPerShard > 0, "a chunk has steps, shards and lanes")
    self.steps = steps
    self.sourceSteps = sourceSteps
    self.shards = shards
    self.lanesPerShard = lanesPerShard
  }

  /// The shape of the chunks' sources.
  package var ofSource: ChunkShape {
    ChunkShape(steps: sourceSteps, shards: shards, lanesPerShard: lanesPerShard)
  }

  /// B, the lanes of the rank.
  package var lanes: Int { shards * lanesPerShard }

  /// T B, the rows of a time-major array of the chunk.
  package var rows: Int { steps * lanes }

  /// The rows of a time-major array that belong to one shard.
  package var rowsPerShard: Int { steps * lanesPerShard }

  /// The shards that some lanes are, which are whole ones.
  package func shards(ofLanes lanes: Range<Int>) -> Range<Int> {
    lanes.lowerBound / lanesPerShard..<lanes.upperBound / lanesPerShard
  }

  /// The rows that belong to a shard, as the kernels count them: `count` rows, `lanes` of every `stride`, the first
  /// of them `first`. In an array of all steps, or of as many as are given.
  package func shardRows(_ shard: Int, steps: Int? = nil) -> ShardRows {
    ShardRows(
      first: shard * lanesPerShard, count: (steps ?? self.steps) * lanesPerShard, lanes: lanesPerShard,
      stride: lanes)
  }
}

/// Rows of a time-major array that belong to one shard: row(r) = first + (r / lanes) stride + r % lanes.
package struct ShardRows {
  package let first: Int
  package let count: Int
  package let lanes: Int
  package let stride: Int

  /// All rows of a matrix of `count`.
  package static func all(_ count: Int) -> ShardRows {
    ShardRows(first: 0, count: count, lanes: count, stride: count)
  }

  /// Rows that follow each other.
  package static func together(_ range: Range<Int>) -> ShardRows {
    ShardRows(first: range.lowerBound, count: range.count, lanes: range.count, stride: range.count)
  }

  /// The array's row of the r-th row of the shard.
  package func row(_ r: Int) -> Int { first + r / lanes * stride + r % lanes }
}
