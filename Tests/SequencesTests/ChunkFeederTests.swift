import Chunks
import Sequences
import TestSupport
import Testing

/// What a chunk holds, copied.
private struct Copied: Equatable {
  var inputs: [Int32] = []
  var targets: [Int32] = []
  var weights: [Float] = []
  var resets: [UInt8] = []
  var streams: [Int] = []
  var offsets: [Int] = []
  var epoch = 0
  var index = 0

  init(_ chunk: Chunk) {
    func copy<T>(_ values: UnsafePointer<T>) -> [T] {
      Array(UnsafeBufferPointer(start: values, count: chunk.rows))
    }
    inputs = copy(chunk.tokens(.input))
    targets = copy(chunk.tokens(.target))
    weights = copy(chunk.weights)
    resets = copy(chunk.resets)
    streams = Array(chunk.streams)
    offsets = Array(chunk.offsets)
    epoch = chunk.epoch
    index = chunk.index
  }

  /// Directly from the streams' tokens.
  init(
    _ tokens: [Int32], _ schedule: Schedule, lanes: Range<Int>, chunk: Int, steps: Int, number: Int
  ) throws {
    let count = steps * lanes.count
    inputs = [Int32](repeating: 0, count: count)
    targets = [Int32](repeating: 0, count: count)
    weights = [Float](repeating: 0, count: count)
    resets = [UInt8](repeating: 1, count: count)
    for lane in lanes {
      let pieces = try pieces(schedule, epoch: number, lane: lane)[chunk]
      streams.append(pieces.first?.stream ?? -1)
      offsets.append(pieces.first?.offset ?? -1)
      for piece in pieces {
        for (step, place) in zip(piece.steps, piece.start...) {
          let element = step * lanes.count + lane - lanes.lowerBound
          inputs[element] = tokens[place]
          targets[element] = tokens[place + 1]
          weights[element] = piece.counts ? 1 : 0
          resets[element] = piece.resets && step == piece.steps.lowerBound ? 1 : 0
        }
      }
    }
    self.epoch = number
    index = chunk
  }
}

@Suite struct ChunkFeederTests {
  private let data = countingStreams(300, longest: 50, vocabulary: 300)

  private func withSchedule(
    _ mode: ScheduleMode, _ traversal: Traversal, lanes: Int = 6, chunk: Int = 8,
    _ body: (SequenceDataset, Schedule) throws -> Void
  ) throws {
    try withTemporaryDirectory { directory in
      try makeDataset("\(directory)/d.h5", data, vocabulary: 300, cut: 5003)
      let dataset = try SequenceDataset("\(directory)/d.h5")
      let streams = try dataset.split("train").streams
      try body(
        dataset, Schedule(streams: streams, lanes: lanes, chunk: chunk, mode: mode, traversal: traversal))
    }
  }

  private func take(_ count: Int, _ feeder: ChunkFeeder) throws -> [Copied] {
    try (0..<count).map { _ in Copied(try feeder.nextChunk()) }
  }

  @Test(arguments: [ScheduleMode.contiguous, .packed], [Traversal.training(seed: 3), .evaluation])
  func chunksHoldWhatTheScheduleSays(mode: ScheduleMode, traversal: Traversal) throws {
    try withSchedule(mode, traversal) { dataset, schedule in
      let tokens = Array(data.joined())
      for lanes in [0..<6, 2..<3, 3..<6] {
        let feeder = try ChunkFeeder(dataset, schedule, lanes: lanes)
        for number in 0..<2 {
          for chunk in 0..<schedule.chunks(inEpoch: number) {
            let expected = try Copied(tokens, schedule, lanes: lanes, chunk: chunk, steps: 8, number: number)
            if chunk % 2 == 0 { #expect(Copied(feeder.upcomingChunk()) == expected) }
            #expect(try Copied(feeder.nextChunk()) == expected)
          }
        }
      }
    }
  }

  /// On ranks whose tiles begin and end within lanes.
  @Test(arguments: [ScheduleMode.contiguous, .packed])
  func `tiles hold the steps and lanes of whole chunks`(mode: ScheduleMode) throws {
    try withSchedule(mode, .training(seed: 3), chunk: 12) { dataset, schedule in
      let (blocks, steps, lanesPerShard) = (4, 3, 2)
      for numbers in [0..<12, 3..<4, 2..<7, 5..<12] {
        let tiles = numbers.enumerated().map { index, number in
          let first = number / blocks * lanesPerShard
          return Tile(
            number: number, of: blocks, lanes: first..<first + lanesPerShard, steps: steps,
            firstColumn: index * lanesPerShard)
        }
        let whole = try ChunkFeeder(dataset, schedule, lanes: 0..<6)
        let feeder = try ChunkFeeder(dataset, schedule, tiles: tiles)
        for _ in 0..<2 * schedule.chunks(inEpoch: 0) {
          let (all, part) = (Copied(try whole.nextChunk()), Copied(try feeder.nextChunk()))
          #expect(part.epoch == all.epoch && part.index == all.index)
          let places = (0..<steps).flatMap { t in
            tiles.flatMap { tile in tile.lanes.map { (tile.steps.lowerBound + t) * 6 + $0 } }
          }
          #expect(part.inputs == places.map { all.inputs[$0] })
          #expect(part.targets == places.map { all.targets[$0] })
          #expect(part.weights == places.map { all.weights[$0] })
          #expect(part.resets == places.map { all.resets[$0] })
          for tile in tiles where tile.isFirst {
            #expect(tile.columns.map { part.streams[$0] } == tile.lanes.map { all.streams[$0] })
            #expect(tile.columns.map { part.offsets[$0] } == tile.lanes.map { all.offsets[$0] })
          }
        }
      }
    }
  }

  @Test func `the memory of a feeder includes the orders of its streams`() throws {
    func byteCount(_ mode: ScheduleMode, _ traversal: Traversal) throws -> Int {
      var bytes = 0
      try withSchedule(mode, traversal) { dataset, schedule in
        bytes = ChunkFeeder.byteCount(of: dataset, schedule, lanes: 6, isHeld: true)
      }
      return bytes
    }
    var playable = 0
    try withSchedule(.packed, .evaluation) { _, schedule in
      playable = (0..<schedule.streams.count).count { schedule.streams.pairs(of: $0) > 0 }
    }
    let least = try byteCount(.contiguous, .training(seed: 3))
    #expect(playable > 100)
    #expect(try byteCount(.packed, .training(seed: 3)) == least + 8 * playable)
    #expect(try byteCount(.packed, .evaluation) == least)
  }

  /// Of vocabularies whose largest tokens just fit the type, and do no longer.
  @Test(arguments: [256, 257, 65_536, 65_537])
  func `tokens held in memory are those of the file, of each stored type`(vocabulary: Int) throws {
    try withTemporaryDirectory { directory in
      let size = Int32(vocabulary)
      // Down from the fifth token, which is the vocabulary's last.
      let data = countingStreams(300, longest: 50, vocabulary: vocabulary).map {
        $0.map { size - 1 - ($0 + size - 5) % size }
      }
      try makeDataset("\(directory)/d.h5", data, vocabulary: vocabulary, cut: 5003)
      let dataset = try SequenceDataset("\(directory)/d.h5")
      let schedule = try Schedule(
        streams: dataset.split("train").streams, lanes: 6, chunk: 8, mode: .packed,
        traversal: .training(seed: 3))
      let tokens = Array(data.joined())
      let expected = try (0..<schedule.chunks(inEpoch: 0)).map {
        try Copied(tokens, schedule, lanes: 0..<6, chunk: $0, steps: 8, number: 0)
      }
      #expect(expected.contains { $0.inputs.contains(size - 1) })
      #expect(expected.contains { $0.targets.contains(size - 1) })
      #expect(try take(expected.count, ChunkFeeder(dataset, schedule, lanes: 0..<6)) == expected)
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: dataset.byteCount, alignment: 64)
      defer { memory.deallocate() }
      for range in [0..<10, 10..<dataset.streams.tokens.count] {
        try dataset.load(positions: range, into: memory)
      }
      dataset.hold(in: UnsafeRawBufferPointer(memory))
      let feeder = try ChunkFeeder(dataset, schedule, lanes: 0..<6)
      defer { feeder.close() }
      #expect(try take(expected.count, feeder) == expected)
      // It is the memory that is read.
      memory.initializeMemory(as: UInt8.self, repeating: 0)
      let zeros = try take(20, feeder).suffix(10)
      #expect(zeros.allSatisfy { $0.inputs.allSatisfy { $0 == 0 } })
    }
  }

  @Test(arguments: [ScheduleMode.contiguous, .packed])
  func readingFromAnyPositionGoesOnAsReadingThroughDoes(mode: ScheduleMode) throws {
    try withSchedule(mode, .training(seed: 4), lanes: 4, chunk: 100) { dataset, schedule in
      let total = (0..<3).reduce(0) { $0 + schedule.chunks(inEpoch: $1) }
      let whole = try take(total, ChunkFeeder(dataset, schedule, lanes: 1..<4))
      for (place, start) in whole.enumerated() {
        let feeder = try ChunkFeeder(
          dataset, schedule, lanes: 1..<4, epoch: start.epoch, chunk: start.index)
        #expect(try take(min(3, total - place), feeder) == Array(whole[place...].prefix(3)))
      }
      let chunks = schedule.chunks(inEpoch: 0)
      let next = try ChunkFeeder(dataset, schedule, lanes: 1..<4, epoch: 0, chunk: chunks)
      #expect(try take(1, next) == [whole[chunks]])
      #expect(throws: DataError.self) {
        try ChunkFeeder(dataset, schedule, lanes: 1..<4, epoch: 0, chunk: chunks + 1)
      }
      #expect(throws: DataError.self) {
        try ChunkFeeder(dataset, schedule, lanes: 1..<4, epoch: 0, chunk: -1)
      }
    }
  }

  @Test func streamsLongerThanAReadAheadAreWhole() throws {
    let tokens = (0..<100_000).map { Int32($0 % 251) }
    try withTemporaryDirectory { directory in
      try makeDataset("\(directory)/d.h5", [tokens], vocabulary: 251, cut: 90_000)
      let dataset = try SequenceDataset("\(directory)/d.h5")
      for mode in [ScheduleMode.contiguous, .packed] {
        let schedule = try Schedule(
          streams: dataset.split("train").streams, lanes: 1, chunk: 999, mode: mode, traversal: .evaluation)
        let feeder = try ChunkFeeder(dataset, schedule, lanes: 0..<1)
        let chunks = try take(schedule.chunks(inEpoch: 0), feeder)
        #expect(Array(chunks.flatMap(\.inputs).prefix(89_999)) == Array(tokens[..<89_999]))
        #expect(Array(chunks.flatMap(\.targets).prefix(89_999)) == Array(tokens[1..<90_000]))
        #expect(chunks.flatMap(\.weights).reduce(0, +) == 89_999)
      }
    }
  }

  @Test func aBadTokenIsThrownWhenItsChunkIsAskedFor() throws {
    var streams = [[Int32](repeating: 1, count: 60_000)]
    streams[0][40_000] = 9
    try withTemporaryDirectory { directory in
      try makeDataset("\(directory)/d.h5", streams, vocabulary: 9, cut: 59_000)
      let dataset = try SequenceDataset("\(directory)/d.h5")
      let schedule = try Schedule(
        streams: dataset.split("train").streams, lanes: 1, chunk: 1000, mode: .contiguous,
        traversal: .evaluation)
      let feeder = try ChunkFeeder(dataset, schedule, lanes: 0..<1)
      let error = #expect(throws: DataError.self) {
        for _ in 0..<59 { _ = try feeder.nextChunk() }
      }
      #expect(error?.description.contains("token 40000 is 9, outside the vocabulary of 9") == true)
      #expect(throws: DataError.self) { try feeder.nextChunk() }
    }
  }

  @Test func aFeederCanBeClosedAtAnyTime() throws {
    try withSchedule(.packed, .training(seed: 5)) { dataset, schedule in
      for taken in 0..<6 {
        let feeder = try ChunkFeeder(dataset, schedule, lanes: 0..<6)
        _ = try take(taken, feeder)
        feeder.close()
        feeder.close()
      }
    }
  }
}
