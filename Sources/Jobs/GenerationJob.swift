import Evaluation
import FileSystem
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
  /// What the stream begins with, in the data's units, where the model was trained on streams that begin with something.
  package var initial: [Float] = []
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
  ///   not, or the stream does not begin with what the model reads there; what `emit` throws.
  package func run(emit: ([UInt8]) throws -> Void) throws -> [String] {
    let trained = try TrainedModel(path, best: best)
    guard trained.description.source == nil else {
      throw DataError(
        "the model reads pairs; seqtrain translate says the targets of sources", path: trained.path)
    }
    guard let vocabulary = trained.description.nextTokenVocabulary else {
      throw DataError(
        "not a language model: it reads \(trained.description.input.text) and says \(trained.description.target.text); only "
          + "models that say which token comes next generate text", path: trained.path)
    }
    let initial = try initialValues(for: trained)
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
      trained.configuration.model, tracks: trained.description.tracks, memory: trained.memory,
      initial: initial)
    try generator.generate(prompt: context, count: length, sampler: sampler, seed: seed) {
      try emit(speller.spell($0))
    }
    return trained.damaged
  }

  /// What the stream begins with, as the model reads it.
  private func initialValues(for trained: TrainedModel) throws -> [Float] {
    guard case .frames(let columns) = trained.description.stored[.initial] else {
      guard initial.isEmpty else {
        throw DataError(
          "the model's streams begin with nothing; leave --initial out", path: trained.path)
      }
      return []
    }
    guard initial.count == columns.width else {
      let names = columns.names.prefix(8).joined(separator: ",") + (columns.width > 8 ? ",..." : "")
      throw DataError(
        "--initial has \(Wording.counted(initial.count, "number")), expected \(columns.width), with which the model's streams "
          + "begin: \(names)", path: trained.path)
    }
    return initial.enumerated().map { columns.normalized($1, column: $0) }
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
