import Chunks
import Glibc
import Random
import Sequences
import Settings
import TestSupport
import Testing

extension StreamTask {
  /// What all streams of a dataset share is drawn from these numbers.
  static func shared(seed: UInt64) -> RandomStream {
    RandomStream(RandomKey(seed: seed, purpose: .synthesis), at: (0, 0, 1))
  }
}

extension DatasetContent {
  /// The tokens of each stream's track.
  func tokens(_ role: TrackRole) -> [[Int]] {
    guard case .tokens(let tokens) = values[role] else { return [] }
    return zip(offsets, offsets.dropFirst()).map { tokens[$0..<$1].map { Int($0) } }
  }

  /// The frames of each stream's track, all columns of a position side by side.
  func frames(_ role: TrackRole) -> [[Float]] {
    guard case .frames(let frames) = values[role] else { return [] }
    let width = description[role]?.width ?? 1
    return zip(offsets, offsets.dropFirst()).map { Array(frames[$0 * width..<$1 * width]) }
  }

  /// The weights of each stream's positions.
  var weights: [[Float]] {
    let all = positionWeights ?? Array(repeating: 1, count: offsets.last ?? 0)
    return zip(offsets, offsets.dropFirst()).map { Array(all[$0..<$1]) }
  }

  /// The numbers of a split's streams.
  func streams(_ split: String) throws -> [Int] {
    let range = try #require(splits.first { $0.name == split }).range
    return offsets.indices.dropLast().filter { range.contains(offsets[$0]) }
  }

  /// What is stated of a split by that name.
  func bound(_ name: String, _ split: String = "train") throws -> Double {
    let split = try #require(splits.first { $0.name == split })
    if name == "floor" { return try #require(split.floor) }
    return try #require(split.bounds.first { $0.bound.name == name }).value
  }
}

/// What holds for every task: it is a line in the list that is tested.
@Suite struct SyntheticTaskTests {
  static let tasks = SyntheticTasks.all.compactMap { $0 as? any StreamTask.Type }

  /// A small dataset of the task.
  private func content<Task: StreamTask>(_ type: Task.Type, seed: UInt64) throws -> DatasetContent {
    try Task(sizes: ["streams=400"] + (Task().streams < 400 ? ["length=20"] : [])).content(
      seed: seed, command: "a test")
  }

  @Test(arguments: tasks.indices)
  func `a dataset is a function of seed and sizes`(_ index: Int) throws {
    let type = Self.tasks[index]
    func fingerprint(_ seed: UInt64) throws -> String {
      try withTemporaryDirectory { directory in
        try content(type, seed: seed).write(to: "\(directory)/d.h5")
        let dataset = try SequenceDataset("\(directory)/d.h5")
        try dataset.verify()
        return dataset.fingerprint
      }
    }
    let first = try fingerprint(1)
    #expect(try fingerprint(1) == first)
    #expect(try fingerprint(2) != first)
  }

  @Test(arguments: tasks.indices)
  func `a stream does not depend on how many there are`(_ index: Int) throws {
    func few<Task: StreamTask>(_ type: Task.Type) throws -> DatasetContent {
      var task = try Task(sizes: Task().streams < 400 ? ["length=20"] : [])
      task.streams = 20
      return try task.content(seed: 3, command: "a test")
    }
    let (few, many) = (try few(Self.tasks[index]), try content(Self.tasks[index], seed: 3))
    for role in [TrackRole.input, .target] {
      #expect(few.tokens(role)[...] == many.tokens(role).prefix(20))
      #expect(few.frames(role)[...] == many.frames(role).prefix(20))
    }
  }

  @Test(arguments: tasks.indices)
  func `the dataset states the optimum and what is trivial`(_ index: Int) throws {
    let content = try content(Self.tasks[index], seed: 4)
    try withTemporaryDirectory { directory in
      try content.write(to: "\(directory)/d.h5")
      let dataset = try SequenceDataset("\(directory)/d.h5")
      #expect(dataset.splits.map(\.name) == ["train", "validation", "test"])
      #expect(dataset.splits.map(\.streams.count) == [360, 20, 20])
      for (found, stated) in zip(dataset.splits, content.splits) {
        let (floor, trivial) = (try #require(found.floor), try #require(found.trivial))
        #expect(floor == stated.floor && trivial == stated.trivial)
        #expect(floor < trivial)
      }
    }
  }

  /// Directly from the targets of the training streams, in other words than the task's.
  @Test(arguments: tasks.indices)
  func `nothing constant is better than what is stated as trivial`(_ index: Int) throws {
    let type = Self.tasks[index]
    let content = try content(type, seed: 5)
    let skipped = content.description.horizon
    let role: TrackRole = content.values[.target] == nil ? .input : .target
    var counted: [(position: Int, stream: Int, weight: Double)] = []
    let weights = content.weights
    for stream in try content.streams("train") {
      for (position, weight) in weights[stream].enumerated().dropFirst(skipped) where weight != 0 {
        counted.append((position, stream, Double(weight)))
      }
    }
    let total = counted.reduce(0) { $0 + $1.weight }
    let trivial: Double
    switch content.description.target {
    case .tokens(let vocabulary):
      let streams = content.tokens(role)
      trivial = (0..<vocabulary.count).reduce(0) { sum, token in
        let share = counted.filter { streams[$0.stream][$0.position] == token }.reduce(0) { $0 + $1.weight }
        return share == 0 ? sum : sum - share / total * log(share / total)
      }
    case .frames(let columns):
      let streams = content.frames(role)
      let variances = (0..<columns.width).map { column in
        var (sum, squares) = (0.0, 0.0)
        for (position, stream, weight) in counted {
          let value =
            (Double(streams[stream][position * columns.width + column]) - Double(columns.means[column]))
            / Double(columns.scales[column])
          sum += weight * value
          squares += weight * value * value
        }
        return squares / total - sum / total * (sum / total)
      }
      trivial =
        type.loss == .gaussian
        ? variances.reduce(0) { $0 + log(2 * .pi * M_E * $1) / 2 }
        : variances.reduce(0, +) / Double(columns.width)
    }
    // What follows from the distribution differs by chance from what is found.
    let stated = try #require(content.splits[0].trivial)
    let tolerance = type.init().trivial == nil ? 1e-4 : 0.15
    #expect(abs(trivial - stated) < tolerance * stated, "\(trivial), stated \(stated)")
  }

  @Test func `sizes that don't go together are refused`() {
    #expect(throws: DataError.self) { try SelectiveCopy(sizes: ["length=5", "message=6"]) }
    #expect(throws: DataError.self) { try Recall(sizes: ["pairs=5", "keys=4"]) }
    #expect(throws: DataError.self) { try Recall(sizes: ["pairs=5", "queries=6"]) }
    #expect(throws: DataError.self) { try Tagged(sizes: ["length=8", "distance=4"]) }
    #expect(throws: DataError.self) {
      try Parity(sizes: ["streams=10000000", "length=1000"]).content(seed: 1, command: "a test")
    }
    #expect(throws: ConfigurationError.self) { try Parity(sizes: ["length=0"]) }
    #expect(throws: ConfigurationError.self) { try Parity(sizes: ["lenght=5"]) }
  }
}

/// Tasks whose targets follow from the inputs: found again from these alone.
@Suite struct SolvableTaskTests {
  @Test(arguments: [2, 7, 200])
  func `adding asks for the sum of one number of each half`(_ length: Int) throws {
    let content = try Adding(sizes: ["streams=300", "length=\(length)"]).content(seed: 1, command: "a test")
    for (stream, frames) in content.frames(.input).enumerated() {
      let marked = (0..<length).filter { frames[2 * $0 + 1] == 1 }
      #expect(marked.count == 2 && marked[0] < length / 2 && marked[1] >= length / 2)
      #expect((0..<length).allSatisfy { (0...1).contains(frames[2 * $0]) })
      #expect(content.frames(.target)[stream].last == frames[2 * marked[0]] + frames[2 * marked[1]])
      #expect(content.weights[stream] == Array(repeating: 0, count: length - 1) + [1])
    }
    #expect(abs((content.splits[0].trivial ?? 0) - 1.0 / 6) < 1e-12)
  }

  /// The targets that count.
  private func answers(_ content: DatasetContent, _ stream: Int) -> [Int] {
    zip(content.tokens(.target)[stream], content.weights[stream]).filter { $0.1 == 1 }.map(\.0)
  }

  @Test func `copy asks for the message after the delay`() throws {
    let content = try Copy(sizes: ["streams=100", "delay=7", "symbols=5", "message=4"]).content(
      seed: 1, command: "a test")
    var symbols: Set<Int> = []
    for (stream, tokens) in content.tokens(.input).enumerated() {
      #expect(Array(tokens.dropFirst(4)) == Array(repeating: 0, count: 7) + [1, 1, 1, 1])
      #expect(content.weights[stream] == tokens.map { $0 == 1 ? 1 : 0 })
      #expect(answers(content, stream) == tokens.prefix(4).map { $0 - 2 })
      symbols.formUnion(answers(content, stream))
    }
    #expect(symbols == [0, 1, 2, 3, 4])
    #expect(abs((content.splits[0].trivial ?? 0) - log(5)) < 1e-12)
  }

  @Test func `selective copy asks for what is not blank`() throws {
    let content = try SelectiveCopy(sizes: ["streams=200", "length=9", "symbols=5", "message=4"]).content(
      seed: 1, command: "a test")
    var places: Set<[Int]> = []
    for (stream, tokens) in content.tokens(.input).enumerated() {
      #expect(Array(tokens.suffix(4)) == [1, 1, 1, 1])
      #expect(content.weights[stream] == tokens.map { $0 == 1 ? 1 : 0 })
      #expect(answers(content, stream) == tokens.filter { $0 > 1 }.map { $0 - 2 })
      places.insert(tokens.indices.filter { tokens[$0] > 1 })
    }
    // Of 126 choices of 4 places.
    #expect(places.count > 80)
  }

  @Test(arguments: [0, 1, 20])
  func `recall asks for the values of keys, behind blanks`(_ blanks: Int) throws {
    let content = try Recall(
      sizes: ["streams=100", "pairs=5", "queries=3", "keys=7", "values=4", "blanks=\(blanks)"]
    ).content(seed: 1, command: "a test")
    for (stream, tokens) in content.tokens(.input).enumerated() {
      let keys = (0..<5).map { tokens[2 * $0] }
      let queries = Array(tokens.suffix(3))
      #expect(tokens.count == 13 + blanks && Set(keys).count == 5 && keys.allSatisfy { (0..<7).contains($0) })
      #expect(Set(queries).count == 3)
      #expect(tokens[10..<10 + blanks].allSatisfy { $0 == 11 })
      let known = Dictionary(uniqueKeysWithValues: (0..<5).map { (tokens[2 * $0], tokens[2 * $0 + 1] - 7) })
      #expect(answers(content, stream) == queries.compactMap { known[$0] })
      #expect(content.weights[stream] == Array(repeating: 0, count: 10 + blanks) + [1, 1, 1])
    }
    guard case .tokens(let vocabulary) = content.description[.input] else {
      Issue.record("the input of recall is not tokens")
      return
    }
    #expect(vocabulary.count == (blanks > 0 ? 12 : 11))
  }

  @Test func `parity labels each bit with the parity so far`() throws {
    let content = try Parity(sizes: ["streams=100", "length=9"]).content(seed: 1, command: "a test")
    for (bits, labels) in zip(content.tokens(.input), content.tokens(.target)) {
      #expect(labels == bits.indices.map { bits[...$0].reduce(0, +) % 2 })
    }
    #expect(content.positionWeights == nil)
  }

  @Test func `labels that need both sides are bounded for one`() throws {
    let (symbols, distance, length) = (4, 2, 7)
    let content = try Tagged(
      sizes: ["streams=4000", "length=\(length)", "symbols=\(symbols)", "distance=\(distance)"]
    ).content(seed: 1, command: "a test")
    let training = Set(try content.streams("train"))
    // For each symbol before a position, how many of its labels are 0 and 1.
    var counts = [[Double]](repeating: [0, 0], count: symbols)
    let (targets, weights) = (content.tokens(.target), content.weights)
    for (stream, tokens) in content.tokens(.input).enumerated() {
      let labels = targets[stream]
      for position in 0..<length {
        let isCounted = position >= distance && position + distance < length
        #expect(weights[stream][position] == (isCounted ? 1 : 0))
        guard isCounted else { continue }
        #expect(labels[position] == (tokens[position + distance] > tokens[position - distance] ? 1 : 0))
        if training.contains(stream) { counts[tokens[position - distance]][labels[position]] += 1 }
      }
    }
    // What is known of the left side is that symbol, for all others are independent of the label.
    let total = counts.flatMap { $0 }.reduce(0, +)
    let accuracy = counts.reduce(0) { $0 + max($1[0], $1[1]) } / total
    let nats = counts.reduce(0.0) { sum, pair in
      pair.reduce(sum) { $1 == 0 ? $0 : $0 - $1 / total * log($1 / (pair[0] + pair[1])) }
    }
    let stated = try content.bound("one_direction_accuracy")
    // Brute force over both symbols: the label is known or guessed by the majority of those that the other can be.
    let exact = (0..<symbols).reduce(0.0) { sum, before in
      let rising = (0..<symbols).count { $0 > before }
      return sum + Double(max(rising, symbols - rising)) / Double(symbols * symbols)
    }
    #expect(abs(stated - exact) < 0.01 && abs(accuracy - stated) < 0.02, "\(accuracy), stated \(stated)")
    #expect(abs(nats - (try content.bound("one_direction_floor"))) < 0.01)
    #expect(try content.bound("floor") == 0)
  }
}
