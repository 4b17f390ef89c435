import Chunks
import Core
import Evaluation
import FileSystem
import MPI
import Preconditions
import Sequences
import Training

/// The job behind `seqtrain translate`: says the targets of sources by a checkpoint's model, on any number of ranks.
///
/// Rank 0 reads the checkpoint and the sources, and writes. It gives all ranks a block of sources at a time, of which each
/// decodes as many, of all lengths. A rank that waits longer for others than the run's `training.timeout` ends the job.
package struct TranslationJob: Sendable {
  /// A checkpoint's file, or the directory of a run.
  package let path: String
  /// For a run, whether to take the checkpoint with the lowest validation loss instead of the newest sound one.
  package var best = false
  /// The sources.
  package let input: TranslationInput
  /// How targets are looked for.
  package var options = DecodingOptions()
  /// The file for what the model attends to, whose name ends in .json or .h5 and which must not exist yet; nil for none.
  package var alignmentPath: String?
  /// The directory for pictures of that, which must be empty or not there yet; nil for none.
  package var picturesPath: String?

  /// Sources that are sorted by their lengths and decoded before the first of them is written.
  private static let block = 2048
  /// The positions of sources that are decoded side by side, about: memory has not room for as many long ones as short ones.
  private static let positions = 1 << 16

  /// A job for this checkpoint or run, and these sources.
  package init(path: String, input: TranslationInput) { (self.path, self.input) = (path, input) }

  /// Translates. Collective.
  ///
  /// - Parameter emit: Called on rank 0 with the lines that are written, in the order of the sources: the best target of
  ///   each; where several are wanted, the number of the source, from 1, the score and the target, with tabs between. A
  ///   source without tokens gives an empty line. Returns whether more is wanted.
  /// - Returns: What is wrong with newer checkpoints of the run; on other ranks than 0 nothing.
  /// - Throws: `JobError` where the ranks agree that the job can't go on: as `TrainedModel` and `TranslationSources` say,
  ///   where the model does not say texts of pairs, there is too little memory, or `emit` throws.
  package func run(
    _ communicator: Communicator, emit: ([UInt8]) throws -> Bool
  ) throws -> [String] {
    let isFirst = communicator.rank == 0
    let trained = try communicator.agree { isFirst ? try TrainedModel(path, best: best) : nil }
    let texts = try communicator.agree { try trained.map(Texts.init) }
    let output = AttentionOutput(alignmentPath: alignmentPath, picturesPath: picturesPath)
    try communicator.agree { if isFirst { try output.check() } }
    let sources = try communicator.agree {
      try trained.flatMap { trained in
        try texts.map { try TranslationSources(input, for: trained, source: $0.source) }
      }
    }
    let configuration = try Configuration(
      yaml: communicator.broadcast(trained?.configuration.yaml ?? ""), name: "the configuration of rank 0")
    // Reading the sources may have taken any time, where another program writes them.
    let watchdog = try Watchdog.begin(
      communicator, timeout: configuration.training.timeout,
      outcome: "what was printed is right, but not all; the same command begins anew")
    let shape = TextShape(try communicator.broadcast(texts?.shape.numbers ?? [Int]()))
    let translator = try translator(
      trained, configuration.model, shape, count: communicator.broadcast(sources?.count ?? 0),
      longest: communicator.broadcast(sources?.longest ?? 1), keepsAttention: output.isWanted, communicator)

    func translateAll(_ alignments: (any AlignmentWriter)?) throws {
      try forEachBlock(of: sources, shape, translator, communicator) { first, sources, translations in
        guard let texts else { return true }
        for (number, (source, found)) in zip(first..., zip(sources, translations)) where output.isWanted {
          guard let best = found.first else { continue }
          try output.write(
            AttendedTarget(number: number + 1, source: source, best, ends: shape.ends), texts.header,
            alignments)
        }
        let isRead = try emit(
          zip(first..., translations).flatMap { lines($1, of: $0 + 1, texts.target) })
        return isRead || output.isWanted
      }
    }
    if alignmentPath == nil {
      try translateAll(nil)
    } else {
      try communicator.creating { body in
        if let texts { try output.createAlignment(texts.header, body) }
      } _: { (alignments: (any AlignmentWriter)?) in
        try translateAll(alignments)
        return ((), { try alignments?.finish() })
      }
    }
    try watchdog?.free()
    return trained?.damaged ?? []
  }

  /// Translates block by block, and gives rank 0 the sources and translations of each, until it wants no more. Collective.
  private func forEachBlock(
    of sources: TranslationSources?, _ shape: TextShape, _ translator: Translator,
    _ communicator: Communicator,
    _ body: (_ first: Int, [StreamValues], [[Translation]]) throws -> Bool
  ) throws {
    let count = try communicator.broadcast(sources?.count ?? 0)
    var isWanted = true
    for first in stride(from: 0, to: count, by: Self.block) where isWanted {
      let numbers = first..<min(first + Self.block, count)
      let block = try communicator.broadcast(
        communicator.agree { try sources?.read(numbers) ?? [] }, of: shape.source)
      let translations = try translate(block, first: first, translator, communicator)
      // Who reads what rank 0 writes may take any time.
      let goesOn = try WaitClock.own.withoutLimit {
        try communicator.agree { communicator.rank == 0 ? try body(first, block, translations) : true }
      }
      isWanted = try !communicator.any(!goesOn)
    }
  }

  /// The translations of all sources of a block, on rank 0. Collective.
  private func translate(
    _ block: [StreamValues], first: Int, _ translator: Translator, _ communicator: Communicator
  ) throws -> [[Translation]] {
    let order = block.indices.sorted { (block[$0].count, $0) < (block[$1].count, $1) }
    func share(of rank: Int) -> [Int] {
      stride(from: rank, to: order.count, by: communicator.size).map { order[$0] }
    }
    let own = share(of: communicator.rank)
    var found: [[Translation]] = []
    // They meet now and then, so that none waits long at the end for a rank that has more to do.
    var poll = StopPoll(communicator, every: 1)
    let turns = (share(of: 0).count + translator.sourcesAtOnce - 1) / translator.sourcesAtOnce
    for turn in 0..<turns {
      _ = try poll.stops(beforeTurn: turn) { false }
      let part = own.dropFirst(turn * translator.sourcesAtOnce).prefix(translator.sourcesAtOnce)
      found += translator.translate(part.map { block[$0] }, numbers: part.map { first + $0 })
    }
    var translations = [[Translation]](repeating: [], count: block.count)
    for (rank, numbers) in try communicator.gather(Translation.numbers(of: found)).enumerated() {
      for (index, found) in zip(share(of: rank), Translation.read(numbers)) { translations[index] = found }
    }
    return translations
  }

  /// What decodes with the weights that rank 0 has read, once all ranks have seen that there is memory for it. Collective.
  private func translator(
    _ trained: TrainedModel?, _ model: ModelConfiguration, _ shape: TextShape, count: Int, longest: Int,
    keepsAttention: Bool, _ communicator: Communicator
  ) throws -> Translator {
    var options = options
    options.keepsAttention = keepsAttention
    let share = (min(count, Self.block) + communicator.size - 1) / communicator.size
    func make(_ memory: ParameterMemory) -> Translator {
      let translator = Translator(
        model, tracks: shape.tracks, memory: memory, ends: shape.ends, options,
        sources: min(share, max(1, Self.positions / longest)))
      translator.reserve(longest: longest)
      return translator
    }
    try communicator.agree {
      let layout = Blueprint(model, tracks: shape.tracks).layout
      let bytes = MemoryMeasurement.peakBytes {
        // Rank 0 has read its weights.
        let memory = trained?.memory ?? ParameterMemory(layout: layout, shards: 0)
        return (memory, make(memory))
      }
      try AvailableMemory.require(
        communicator.hosts.ranks[communicator.hosts.host(of: communicator.rank)].count * bytes,
        for: "translations of sources of up to \(Wording.counted(longest, "position"))",
        remedy: "take a narrower beam, fewer ranks, or another machine")
    }
    let translator = try make(communicator.broadcastWeights(of: trained, model, shape.tracks))
    try communicator.agree {
      guard options.keepsAttention, !translator.attendsToSources else { return }
      throw TrainingError(
        "\(path): the model attends to nothing (model.attention.score is none): leave out --alignment and --heatmap"
      )
    }
    return translator
  }

  private func lines(_ translations: [Translation], of number: Int, _ target: Vocabulary) -> [UInt8] {
    guard !translations.isEmpty else { return Array("\n".utf8) }
    return translations.flatMap { translation in
      var speller = TokenSpeller(target)
      // Models of bytes can say a line's end; the lines are to stay those of the sources.
      let text = translation.tokens.flatMap { speller.spell($0) }.map { $0 == 0x0A ? 0x20 : $0 }
      let place = options.best > 1 ? "\(number)\t\(translation.score)\t" : ""
      return Array(place.utf8) + text + Array("\n".utf8)
    }
  }
}

/// What a model reads and says that says texts of pairs.
private struct Texts {
  let source: TrackDescription
  let target: Vocabulary
  let shape: TextShape
  let header: AlignmentHeader

  /// - Throws: `TrainingError` where the model is another one.
  init(_ trained: TrainedModel) throws {
    let description = trained.description
    guard let source = description.source else {
      throw TrainingError(
        "\(trained.path): the model reads \(description.input.text), not pairs; only models of pairs translate, and "
          + "seqtrain generate, predict and forecast do what others can")
    }
    guard description.stored[.target] == nil, description.horizon == 1,
      case .tokens(let target) = description.input, let ends = target.ends
    else {
      throw TrainingError(
        "\(trained.path): the model reads \(source.text) and says \(description.target.text); only models that say text with "
          + "begin and end tokens, one token after another, translate")
    }
    (self.source, self.target) = (source, target)
    shape = TextShape(source: source.kind, vocabulary: target.count, ends: ends)
    header = AlignmentHeader(
      checkpoint: trained.path, step: trained.progress.step, source: source, target: target)
  }
}

/// As much of that as decoding takes.
private struct TextShape {
  let source: TrackKind
  let vocabulary: Int
  let ends: Vocabulary.Ends

  var tracks: TrackSet {
    let target = TrackKind.tokens(count: vocabulary)
    return TrackSet([.input: target, .target: target], source: source)
  }

  /// It as numbers, for the other ranks.
  var numbers: [Int] {
    let (isFrames, size) =
      switch source {
      case .tokens(let count): (0, count)
      case .frames(let width): (1, width)
      }
    return [isFrames, size, vocabulary, Int(ends.begin), Int(ends.end)]
  }
}

extension TextShape {
  /// What the numbers say.
  init(_ numbers: [Int]) {
    source = numbers[0] == 0 ? .tokens(count: numbers[1]) : .frames(width: numbers[1])
    vocabulary = numbers[2]
    ends = Vocabulary.Ends(begin: Int32(numbers[3]), end: Int32(numbers[4]))
  }
}
