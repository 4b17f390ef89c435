import Glibc
import Random
import Sequences
import Settings
import TestSupport
import Testing

@Suite struct GrammarTests {
  private static let small = Grammar(
    """
    # A comment.
    text = phrase.s ' & ' phrase.p '.' newline
    phrase.n = @who ' go' ending.n | 3 'it' ending.n
    ending.s = 'es'
    ending.p = ''
    @who = 'Ann' | 2 'Bob'
    """)

  @Test func choicesAreMadeWithTheirWeights() {
    // Not chosen again where a name is remembered: (1/4)(1/3) then 1/4; its text is known.
    let expected = [
      "Annes": 0.0, "Ann goes & Ann go.\n": 1.0 / 48, "Bob goes & Bob go.\n": 2.0 / 48,
      "ites & it.\n": 9.0 / 16,
      "Ann goes & it.\n": 1.0 / 16, "Bob goes & it.\n": 2.0 / 16, "ites & Ann go.\n": 1.0 / 16,
      "ites & Bob go.\n": 2.0 / 16,
    ]
    var counts: [String: Int] = [:]
    for place in 0..<4000 {
      var random = RandomStream(RandomKey(seed: 1, purpose: .synthesis), at: (UInt32(place), 0, 0))
      let (text, logProbability) = Self.small.derive(&random)
      #expect(abs(exp(logProbability) - (expected[text] ?? -1)) < 1e-12)
      counts[text, default: 0] += 1
    }
    for (text, probability) in expected {
      #expect(abs(Double(counts[text] ?? 0) / 4000 - probability) < 0.03)
    }
    #expect(String(String.UnicodeScalarView(Self.small.characters)) == "\n &.ABbeginost")
  }

  @Test func theInsideProbabilityCountsDerivations() {
    // Not only generated texts: the check itself must tell one derivation from two.
    let ambiguous = Grammar(
      "text = phrase '.'\nphrase = 1 'a' | 1 'a' phrase | 2 phrase2\nphrase2 = 'a' | 'b'")
    let two = InsideProbability.of("a.", in: ambiguous)
    #expect(two.count == 2)
    #expect(abs(exp(two.logProbability) - (0.25 + 0.25)) < 1e-12)
    #expect(InsideProbability.of("ab.", in: ambiguous).count == 1)
    #expect(InsideProbability.of("c.", in: ambiguous).count == 0)
  }

  @Test func talesHaveOneDerivationWhoseProbabilityTheyKnow() throws {
    for index in 0..<60 {
      let (text, nats) = TaleCorpus.tale(index, seed: 3)
      let derivations = InsideProbability.of(text, in: .tales)
      #expect(derivations.count == 1)
      #expect(abs(-derivations.logProbability - nats) < 1e-9 * max(1, nats))
    }
  }

  @Test func talesBeginAlikeAndSayWhenTheyEnd() throws {
    for index in 0..<300 {
      let text = TaleCorpus.tale(index, seed: 4).text
      #expect(text.first == "T")
      #expect(text.hasPrefix("The tale of "))
      let ends = text.split(separator: "\n").filter { $0.hasPrefix("So ends the tale of ") }
      #expect(ends.count == 1)
      #expect(ends.first.map { text.hasSuffix("\($0)\n") } == true)
      #expect(text.unicodeScalars.allSatisfy(Grammar.tales.characters.contains))
    }
    #expect((30...45).contains(Grammar.tales.characters.count))
  }

  @Test func theDatasetKnowsTheFloorOfItsSplits() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/tales.h5"
      let corpus = try TaleCorpus(sizes: ["characters=60000"])
      try corpus.write(path, seed: 5, command: "a test")
      let dataset = try SequenceDataset(path)
      try dataset.verify()
      #expect(dataset.splits.map(\.name) == ["train", "validation", "test"])
      #expect((60_000...66_000).contains(dataset.streams.tokens.count))
      var tale = 0
      for split in dataset.splits {
        var nats = 0.0
        for stream in 0..<split.streams.count {
          let (text, own) = TaleCorpus.tale(tale, seed: 5)
          var tokens = [Int32](repeating: 0, count: split.streams.pairs(of: stream) + 1)
          let start = split.streams.offsets[stream]
          try tokens.withUnsafeMutableBufferPointer {
            try dataset.read(tokens: start..<start + $0.count, into: $0)
          }
          #expect(dataset.vocabulary.decode(tokens) == text)
          nats += own
          tale += 1
        }
        let floor = try #require(split.floor)
        #expect(abs(floor - nats / Double(split.streams.pairs)) < 1e-12)
        #expect((0.4...0.6).contains(floor))
      }
      #expect(tale == dataset.streams.count)
      #expect(throws: (any Error).self) { try corpus.write(path, seed: 5, command: "a test") }
    }
  }

  @Test func theSeedDeterminesTheDataset() throws {
    func fingerprint(seed: UInt64) throws -> String {
      try withTemporaryDirectory { directory in
        try TaleCorpus(sizes: ["characters=20000"]).write(
          "\(directory)/d.h5", seed: seed, command: "a test")
        return try SequenceDataset("\(directory)/d.h5").fingerprint
      }
    }
    let first = try fingerprint(seed: 1)
    #expect(try fingerprint(seed: 1) == first)
    #expect(try fingerprint(seed: 2) != first)
    #expect(throws: ConfigurationError.self) { try TaleCorpus(sizes: ["characters=100"]) }
  }
}
