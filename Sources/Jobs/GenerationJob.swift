import Evaluation
import Sequences
import Training

/// The job behind `seqtrain generate`: continues a text with a checkpoint's model, in one process.
package struct GenerationJob: Sendable {
  /// The text to continue.
  package enum Prompt: Sendable {
    /// A given text.
    case text(String)
    /// A text to read.
    case source(TextSource)
  }

  /// A checkpoint's file, or the directory of a run.
  package var path: String
  /// For a run, whether to take the checkpoint with the lowest validation loss instead of the newest sound one.
  package var best = false
  /// Read as a text that begins a line, or a stream where the model was trained on many; empty for the beginning of a
  /// line.
  package var prompt = Prompt.text("")
  /// The number of tokens to generate.
  package var length = 500
  /// How to draw them.
  package var sampler = Sampler()
  /// The seed of the draws.
  package var seed: UInt64 = 1

  /// A job for this checkpoint or run.
  package init(path: String) { self.path = path }

  /// Draws the continuation.
  ///
  /// - Parameter emit: Called with the prompt's bytes, before the model reads it, and with those of each token as it is
  ///   drawn: UTF-8, or of a model of bytes whatever they are.
  /// - Returns: What is wrong with newer checkpoints of the run.
  /// - Throws: As `TrainedModel`; `DataError` where the prompt cannot be read, or has tokens that the vocabulary has
  ///   not; what `emit` throws.
  package func run(emit: ([UInt8]) throws -> Void) throws -> [String] {
    let trained = try TrainedModel(path, best: best)
    guard let vocabulary = trained.description.languageVocabulary else {
      throw DataError(
        "not a language model: it reads \(trained.description.input.text) and says \(trained.description.target.text); only "
          + "models of one track of tokens generate text", path: trained.path)
    }
    let tokens = try encodePrompt(vocabulary)
    // A model of a few long texts has seldom seen one begin, but many lines: without a line's end before it, what follows
    // a short prompt would be noise. One of many short texts begins with them.
    var context = tokens
    if trained.mode == .contiguous || tokens.isEmpty, let lineEnd = vocabulary.lineEnd {
      context.insert(lineEnd, at: 0)
    }
    if context.isEmpty { context = [0] }
    guard !trained.configuration.model.bidirectional else {
      throw DataError(
        "\(trained.path): a bidirectional model reads what follows each token, so it can't generate; use one trained with "
          + "model.bidirectional false")
    }
    var speller = TokenSpeller(vocabulary)
    if !tokens.isEmpty { try emit(tokens.flatMap { speller.spell($0) }) }
    let generator = Generator(
      trained.configuration.model, tracks: trained.description.tracks, memory: trained.memory)
    try generator.generate(prompt: context, count: length, sampler: sampler, seed: seed) {
      try emit(speller.spell($0))
    }
    return trained.damaged
  }

  private func encodePrompt(_ vocabulary: Vocabulary) throws -> [Int32] {
    switch prompt {
    case .source(let source): return try vocabulary.encode(source)
    case .text(let text):
      do { return try vocabulary.encode(text) } catch { throw DataError("--prompt: \(error)") }
    }
  }
}

extension Vocabulary {
  /// The token of a line's end, if there is one.
  fileprivate var lineEnd: Int32? {
    guard let token = try? encode("\n").first, token != unknown.map(Int32.init) else { return nil }
    return token
  }
}
