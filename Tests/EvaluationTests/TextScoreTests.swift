import Evaluation
import FoundationEssentials
import TestSupport
import Testing

/// Scores of texts against those of sacreBLEU; see Fixtures/make_text_scores.py.
@Suite struct TextScoreTests {
  private struct Fixture: Decodable {
    struct Corpus: Decodable {
      let name: String, said: [String], references: [String], bleu: Double, chrf: Double
    }
    struct Tokens: Decodable { let text: String, words: [String] }
    let corpora: [Corpus], tokens: [Tokens], signatures: [String]
  }

  private let fixture: Fixture

  init() throws {
    let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)
    let bytes = try readBytes("\(folder)Fixtures/text_scores.json")
    fixture = try JSONDecoder().decode(Fixture.self, from: Data(bytes))
  }

  private func scores(_ pairs: some Sequence<(String, String)>) -> TextScores {
    pairs.reduce(into: TextScores()) { $0.add($1.0, $1.1, tokens: [], ofReference: [], isComplete: true) }
  }

  @Test func `BLEU and chrF are those of sacreBLEU`() {
    #expect(fixture.signatures == [TextScores.bleuSignature, TextScores.chrfSignature])
    #expect(fixture.corpora.count > 8)
    for corpus in fixture.corpora {
      let found = scores(zip(corpus.said, corpus.references))
      #expect(abs(found.bleu - corpus.bleu) < 1e-9, "\(corpus.name): \(found.bleu), expected \(corpus.bleu)")
      #expect(abs(found.chrf - corpus.chrf) < 1e-9, "\(corpus.name): \(found.chrf), expected \(corpus.chrf)")
    }
  }

  @Test func `words are those of mteval`() {
    #expect(fixture.tokens.count > 40)
    for example in fixture.tokens { #expect(BLEUTokenizer.words(of: example.text) == example.words) }
  }

  @Test func `the numbers of parts add up to those of the whole`() {
    let corpus = fixture.corpora[0]
    let pairs = Array(zip(corpus.said, corpus.references))
    let parts = [scores(pairs.prefix(7)), scores(pairs.dropFirst(7))]
    let sums = zip(parts[0].numbers, parts[1].numbers).map { $0 + $1 }
    #expect(TextScores(numbers: sums) == scores(pairs))
  }

  @Test func `edits are the fewest`() {
    var scores = TextScores()
    for (said, reference): ([Int32], [Int32]) in [
      ([1, 2, 3], [1, 2, 3]), ([], [4, 5]), ([1, 2, 3, 4], [2, 3, 5]), ([6, 6], [6]),
    ] {
      scores.add("", "", tokens: said, ofReference: reference, isComplete: true)
    }
    // None, two, two, and one, of three, two, three and one.
    #expect(scores.editRate == 5.0 / 9 && scores.exactMatch == 0.25)
  }

  @Test func `a text that was cut is no exact match, though it says what it should`() {
    var scores = TextScores()
    for isComplete in [true, false, false] {
      scores.add("a b", "a b", tokens: [1, 2], ofReference: [1, 2], isComplete: isComplete)
    }
    #expect(scores.exactMatch == 1.0 / 3 && scores.editRate == 0)
  }
}
