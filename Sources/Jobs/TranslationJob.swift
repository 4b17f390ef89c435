import Evaluation
import FileSystem
import Sequences
import Training

/// The job behind `seqtrain translate`: says the target of each line of a text by a checkpoint's model, in one process.
package struct TranslationJob: Sendable {
  /// A checkpoint's file, or the directory of a run.
  package let path: String
  /// For a run, whether to take the checkpoint with the lowest validation loss instead of the newest sound one.
  package var best = false
  /// The sources, a line each.
  package let input: TextSource
  /// How targets are looked for.
  package var options = DecodingOptions()

  /// Lines that are sorted by their lengths and decoded before the first of them is written.
  private static let block = 2048

  /// A job for this checkpoint or run, and these sources.
  package init(path: String, input: TextSource) { (self.path, self.input) = (path, input) }

  /// Translates.
  ///
  /// - Parameter emit: Called with the lines that are written, in the order of the sources: the best target of each; where
  ///   several are wanted, the number of the source, from 1, the score and the target, with tabs between. A line without
  ///   tokens gives an empty line.
  /// - Returns: What is wrong with newer checkpoints of the run.
  /// - Throws: As `TrainedModel`; `TrainingError` where the model does not read texts and say texts; `DataError` where the
  ///   sources can't be read, or have tokens that the vocabulary has not; what `emit` throws.
  package func run(emit: ([UInt8]) throws -> Void) throws -> [String] {
    let trained = try TrainedModel(path, best: best)
    let (source, target, ends) = try vocabularies(of: trained)
    let sources = try source.encodeLines(of: input)
    let translator = Translator(
      trained.configuration.model, tracks: trained.description.tracks, memory: trained.memory, ends: ends,
      options)
    for first in stride(from: 0, to: sources.count, by: Self.block) {
      let block = sources[first..<min(first + Self.block, sources.count)]
      for (number, translations) in translator.translate(Array(block), first: first).enumerated() {
        try emit(lines(translations, of: first + number + 1, target))
      }
    }
    return trained.damaged
  }

  private func lines(_ translations: [Translation], of number: Int, _ target: Vocabulary) -> [UInt8] {
    guard !translations.isEmpty else { return Array("\n".utf8) }
    return translations.flatMap { translation in
      var speller = TokenSpeller(target)
      let text = translation.tokens.flatMap { speller.spell($0) }
      let place = options.best > 1 ? "\(number)\t\(translation.score)\t" : ""
      return Array(place.utf8) + text + Array("\n".utf8)
    }
  }

  private func vocabularies(of trained: TrainedModel) throws -> (
    source: Vocabulary, target: Vocabulary, ends: Vocabulary.Ends
  ) {
    let description = trained.description
    guard let source = description.source else {
      throw TrainingError(
        "\(trained.path): the model reads \(description.input.text), not pairs; only models of pairs translate, and "
          + "seqtrain generate, predict and forecast do what others can")
    }
    guard case .tokens(let read) = source, case .tokens(let said) = description.target, let ends = said.ends
    else {
      throw TrainingError(
        "\(trained.path): the model reads \(source.text) and says \(description.target.text); only models that read text and "
          + "say text with begin and end tokens translate lines")
    }
    return (read, said, ends)
  }
}
