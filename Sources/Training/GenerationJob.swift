import Evaluation
import Sequences

/// The job behind `seqtrain generate`: continues a text with a model from a checkpoint. One process.
public struct GenerationJob: Sendable {
  /// A checkpoint's file, or the directory of a run.
  public var path: String
  /// Of a run, whether the checkpoint with the lowest validation loss is meant, or the newest sound one.
  public var best = false
  /// The text to be continued, as one that begins a line, or a stream where the model was trained on many; empty for the
  /// beginning of a line.
  public var prompt = ""
  /// The number of tokens to generate.
  public var length = 500
  /// How they are drawn.
  public var sampler = Sampler()
  /// The seed of the draws.
  public var seed: UInt64 = 1

  /// A job for this checkpoint or run.
  public init(path: String) { self.path = path }

  /// The prompt with its continuation, and what is wrong with newer checkpoints of the run.
  ///
  /// - Throws: As `TrainedModel`; `DataError` where the prompt has tokens that the vocabulary has not.
  public func run() throws -> (text: String, damaged: [String]) {
    let trained = try TrainedModel(path, best: best)
    let vocabulary = trained.vocabulary
    var tokens: [Int32]
    do { tokens = try vocabulary.encode(prompt) } catch let error as DataError {
      let isShort = vocabulary.level == .char && vocabulary.count <= 128
      let known = isShort ? ", which are \(vocabulary.spellings.joined().debugDescription)" : ""
      throw DataError("--prompt: \(error)\(known)")
    }
    // A model of a few long texts has seldom seen one begin, but many lines: without a line's end before it, what follows
    // a short prompt would be noise. One of many short texts begins with them.
    var context = tokens
    if trained.mode == .contiguous || tokens.isEmpty, let lineEnd = vocabulary.lineEnd {
      context.insert(lineEnd, at: 0)
    }
    if context.isEmpty { context = [0] }
    let generator = Generator(trained.configuration.model, memory: trained.memory)
    generator.generate(prompt: context, count: length, sampler: sampler, seed: seed) { tokens.append($0) }
    return (vocabulary.decode(tokens), trained.damaged)
  }
}

extension Vocabulary {
  /// The token of a line's end, if there is one.
  fileprivate var lineEnd: Int32? {
    guard let token = try? encode("\n").first, token != unknown.map(Int32.init) else { return nil }
    return token
  }
}
