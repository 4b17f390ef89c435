import Chunks
import HDF5
import Sequences
import TestSupport
import Testing

/// Tasks of pairs: their targets follow from their sources by what the tasks say, found here in other ways.
@Suite struct PairTaskTests {
  /// The sources and targets of all pairs, as text.
  private func pairs(_ task: some StreamTask, seed: UInt64 = 9) throws -> [(source: String, target: String)] {
    let content = try task.content(seed: seed, command: "a test")
    guard case .tokens(let ofSources) = content.description.source,
      case .tokens(let ofTargets) = content.description.input, let ends = ofTargets.ends,
      case .tokens(let targets) = content.values[.input], let sources = content.source,
      case .tokens(let sourceTokens) = sources.values
    else {
      Issue.record("no pairs of tokens")
      return []
    }
    return content.offsets.indices.dropLast().map { stream in
      let target = targets[content.offsets[stream]..<content.offsets[stream + 1]]
      #expect(target.first == ends.begin && target.last == ends.end)
      return (
        ofSources.decode(sourceTokens[sources.offsets[stream]..<sources.offsets[stream + 1]]),
        ofTargets.decode(target)
      )
    }
  }

  @Test func `letters stand where the alignment says`() throws {
    let sizes = ["streams=40", "shortest=3", "longest=12"]
    for task: any StreamTask in [try Reverse(sizes: sizes), try CopyPairs(sizes: sizes)] {
      let content = try task.content(seed: 2, command: "a test")
      let alignment = try #require(content.alignment)
      for (stream, pair) in try pairs(task, seed: 2).enumerated() {
        let places = alignment[content.offsets[stream]..<content.offsets[stream + 1]]
        #expect(places.first == -1 && places.last == -1)
        let source = Array(pair.source)
        #expect(String(places.dropFirst().dropLast().map { source[Int($0)] }) == pair.target)
      }
    }
    #expect(try Sort(sizes: sizes).content(seed: 2, command: "a test").alignment == nil)
  }

  @Test func `a sentence says what stands in the regions that its words are aligned with`() throws {
    let side = 5
    let task = try GridCaptions(sizes: ["streams=60", "side=\(side)"])
    let content = try task.content(seed: 3, command: "a test")
    guard case .frames(let columns) = content.description.source,
      case .frames(let frames) = content.source?.values,
      case .tokens(let vocabulary) = content.description.input, let alignment = content.alignment
    else {
      Issue.record("no pictures")
      return
    }
    #expect(columns.grid == FrameGrid(rows: side, columns: side))
    let colours: [[Bool]: String] = [
      [true, false, false]: "red", [false, true, false]: "green", [false, false, true]: "blue",
      [true, true, false]: "yellow", [true, true, true]: "white",
    ]
    let kinds = [9: "square", 5: "cross", 7: "triangle"]
    for stream in 0..<60 {
      let target = content.offsets[stream]..<content.offsets[stream + 1]
      var (sentence, regions): ([String], [Int32]) = ([], [-1])
      for region in 0..<side * side {
        let first = (stream * side * side + region) * columns.width
        let lit = (0..<9).filter { pixel in (0..<3).contains { frames[first + 3 * pixel + $0] > 0 } }
        guard let pixel = lit.first else { continue }
        let colour = colours[(0..<3).map { frames[first + 3 * pixel + $0] > 0 }]
        let phrase =
          (sentence.isEmpty ? [] : ["and"]) + [colour ?? "", kinds[lit.count] ?? ""]
          + ["row", "\(region / side + 1)", "column", "\(region % side + 1)"]
        sentence += phrase
        regions += phrase.map { _ in Int32(region) }
      }
      guard case .tokens(let tokens) = content.values[.input] else { return }
      #expect(vocabulary.decode(tokens[target]) == sentence.joined(separator: " "))
      #expect(Array(alignment[target]) == regions + [-1])
    }
    try withTemporaryDirectory { directory in
      try content.write(to: "\(directory)/d.h5")
      let dataset = try SequenceDataset("\(directory)/d.h5")
      try dataset.verify()
      #expect(dataset.description == content.description)
      #expect(try File.open("\(directory)/d.h5").dataset("alignment").readArray(of: Int32.self) == alignment)
      var other = content
      other.description = try DataDescription(
        content.description.stored,
        source: .frames(FrameColumns(columns.names, grid: FrameGrid(rows: 4, columns: 5))))
      let error = #expect(throws: DataError.self) { try other.write(to: "\(directory)/o.h5") }
      #expect(error?.description == "source 0 has 25 positions, expected 20, a grid of 4 x 5")
    }
  }

  @Test func `words are reversed, sorted and copied`() throws {
    let sizes = ["streams=300", "shortest=3", "longest=12", "symbols=5"]
    for (task, expected): (any StreamTask, (String) -> String) in [
      (try Reverse(sizes: sizes), { String($0.reversed()) }),
      (try Sort(sizes: sizes), { String($0.sorted()) }),
      (try CopyPairs(sizes: sizes), { $0 }),
    ] {
      let pairs = try pairs(task)
      #expect(pairs.allSatisfy { $0.target == expected($0.source) })
      #expect(Set(pairs.map(\.source.count)) == Set(3...12))
      #expect(Set(pairs.map(\.source).joined()) == Set("abcde"))
    }
    #expect(throws: DataError.self) { try Reverse(sizes: ["shortest=9", "longest=8"]) }
  }

  @Test func `a date says in ISO 8601 what it says in words and figures`() throws {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    let pairs = try pairs(try Dates(sizes: ["streams=3000"]))
    var shapes: Set<String> = []
    for (source, target) in pairs {
      let iso = target.split(separator: "-").compactMap { Int($0) }
      #expect(target.count == 10 && iso.count == 3)
      let (year, month, day) = (iso[0], iso[1], iso[2])
      // Zeller's congruence: 0 is Saturday.
      let (m, y) = month < 3 ? (month + 12, year - 1) : (month, year)
      let zeller = (day + 13 * (m + 1) / 5 + y + y / 4 - y / 100 + y / 400) % 7
      let words = source.split { !$0.isLetter }.map { String($0.prefix(3)) }
      let numbers = source.split { !$0.isNumber }.compactMap { Int($0) }
      for word in words {
        #expect(word == months[month - 1] || word == weekdays[(zeller + 5) % 7], "\(source) \(target)")
      }
      let order =
        words.isEmpty
        ? source.contains(".")
          ? [day, month, year] : numbers[0] > 31 ? [year, month, day] : [month, day, year]
        : [day, year]
      #expect(numbers == order, "\(source) \(target)")
      shapes.insert(String(source.map { $0.isLetter ? "a" : $0.isNumber ? "1" : $0 }.filter { $0 != "a" }))
    }
    #expect(shapes.count > 10)
    #expect(Set(pairs.map { $0.target.prefix(4) }).count > 150)
  }

  /// The value of an infix expression for these operands, by recursive descent, modulo a prime.
  private struct Infix {
    var rest: Substring

    mutating func sum() -> Int {
      var value = product()
      while let sign = rest.first, sign == "+" || sign == "-" {
        rest.removeFirst()
        value = PairTaskTests.apply(sign, value, product())
      }
      return value
    }

    private mutating func product() -> Int {
      var value = factor()
      while let sign = rest.first, sign == "*" || sign == "/" {
        rest.removeFirst()
        value = PairTaskTests.apply(sign, value, factor())
      }
      return value
    }

    private mutating func factor() -> Int {
      let first = rest.removeFirst()
      guard first == "(" else { return PairTaskTests.value(first) }
      defer { rest.removeFirst() }
      return sum()
    }
  }

  private static let prime = 1_000_003

  private static func value(_ letter: Character) -> Int { Int(letter.asciiValue ?? 0) * 7919 % prime }

  /// Of no operator is the order of its sides without a meaning here.
  private static func apply(_ sign: Character, _ a: Int, _ b: Int) -> Int {
    switch sign {
    case "+": (a + 2 * b + 1) % prime
    case "-": (a + 3 * b + 2) % prime
    case "*": (a * (b + 5) + 3) % prime
    default: (a * (b + 11) + 7) % prime
    }
  }

  @Test func `postfix forms have the values of their expressions`() throws {
    let pairs = try pairs(try Bracket(sizes: ["streams=500", "operators=6", "symbols=4"]))
    for (source, target) in pairs {
      var infix = Infix(rest: source[...])
      let expected = infix.sum()
      #expect(infix.rest.isEmpty)
      var stack: [Int] = []
      for letter in target {
        if letter.isLetter {
          stack.append(Self.value(letter))
        } else {
          let (b, a) = (stack.removeLast(), stack.removeLast())
          stack.append(Self.apply(letter, a, b))
        }
      }
      #expect(stack == [expected], "\(source) \(target)")
      #expect(source.filter { $0 != "(" && $0 != ")" }.count == target.count)
    }
    #expect(Set(pairs.map(\.target.count)) == Set(stride(from: 3, through: 13, by: 2)))
    #expect(pairs.contains { $0.source.contains("(") })
  }
}
