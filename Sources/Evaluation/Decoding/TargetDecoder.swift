import Chunks
import Core
import Preconditions
import Sequences

/// Says the targets of the pairs in chunks, and compares them with those that stand there.
final class TargetDecoder {
  private let translator: Translator
  private let vocabulary: Vocabulary

  /// For chunks of that shape.
  ///
  /// - Parameter attends: Whether the model attends to sources.
  init(
    _ configuration: ModelConfiguration, memory: ParameterMemory, _ description: DataDescription,
    shape: ChunkShape, _ options: DecodingOptions, attends: Bool
  ) {
    guard case .tokens(let vocabulary) = description.target, let ends = vocabulary.ends else {
      preconditionFailure("the targets are texts")
    }
    self.vocabulary = vocabulary
    var options = options
    options.keepsAttention = attends
    translator = Translator(
      configuration, tracks: description.tracks, memory: memory, ends: ends, options,
      sources: shape.lanes)
    translator.reserve(longest: shape.sourceSteps)
  }

  /// Adds what is said of each lane's source, and what was attended to meanwhile.
  func decode(_ chunk: Chunk, _ scores: inout TextScores, _ attention: inout AttentionScores) {
    guard let sources = chunk.source else { preconditionFailure("the chunk is of pairs") }
    for (lane, translations) in translator.translate(sources, first: 0).enumerated() {
      guard let translation = translations.first else { continue }
      attention.add(coverageBy: translation.attention)
      let said = translation.tokens
      let reference = (0..<chunk.steps).compactMap { t -> Int32? in
        let position = t * chunk.lanes + lane
        let token = chunk.tokens(.target)[position]
        return chunk.weights[position] > 0 && token != vocabulary.ends?.end ? token : nil
      }
      scores.add(
        text(of: said), text(of: reference), tokens: said, ofReference: reference,
        isComplete: translation.isComplete)
    }
  }

  private func text(of tokens: [Int32]) -> String {
    var speller = TokenSpeller(vocabulary)
    return String(decoding: tokens.flatMap { speller.spell($0) }, as: UTF8.self)
  }
}
