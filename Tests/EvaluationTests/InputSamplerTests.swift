import Chunks
import Core
import Evaluation
import Glibc
import Preconditions
import Random
import Testing

/// What is drawn in place of inputs, against a model that reads each beginning of a stream anew.
@Suite struct InputSamplerTests {
  private static let vocabulary = 7
  private static let steps = 9
  private static let lanes = 3
  private static let key = RandomKey(seed: 4, purpose: .sampling)

  private func memory(_ configuration: ModelConfiguration, _ tracks: TrackSet) -> ParameterMemory {
    let memory = ParameterMemory(layout: Blueprint(configuration, tracks: tracks).layout, shards: 0)
    var random = RandomStream(RandomKey(seed: 5, purpose: .initialization))
    for index in 0..<memory.layout.count { memory.weights[index] = Float(random.uniform() - 0.5) }
    return memory
  }

  private func token(_ t: Int, _ lane: Int) -> Int32 { Int32((t * t + 3 * lane + 1) % Self.vocabulary) }

  private func fill(_ chunk: Chunk, first: Int, isReset: (Int, Int) -> Bool) {
    chunk.clear(steps: Self.steps)
    for t in 0..<Self.steps {
      for lane in 0..<Self.lanes {
        let position = t * Self.lanes + lane
        chunk.tokens(.input)[position] = token(first + t, lane)
        chunk.weights[position] = 1
        chunk.resets[position] = isReset(t, lane) ? 1 : 0
      }
    }
  }

  private func inputs(_ chunk: Chunk, lane: Int) -> [Int32] {
    (0..<chunk.steps).map { chunk.tokens(.input)[$0 * chunk.lanes + lane] }
  }

  /// Expects the true input, or the one in whose part of [0, 1) the draw lies, to rounding.
  private func expect(
    _ input: Int32, true truth: Int32, number: UInt32, lane: Int, after t: Int, share: Double,
    _ probabilities: [Double]
  ) {
    var random = RandomStream(Self.key, at: (number, UInt32(10 + lane), UInt32(t)))
    guard random.uniform() < share else {
      #expect(input == truth)
      return
    }
    let drawn = random.uniform()
    let below = probabilities[..<Int(input)].reduce(0, +)
    #expect(
      below - 1e-5 <= drawn && drawn < below + probabilities[Int(input)] + 1e-5,
      "lane \(lane), step \(t): \(input) for \(drawn) of \(probabilities)")
  }

  @Test(arguments: LayerNames.each, [InitialState.carried, .zero])
  func `inputs are what the model says of those before`(_ cell: LayerNames, _ initialState: InitialState) {
    var configuration = ModelConfiguration()
    (configuration.cell, configuration.initialState) = (cell, initialState)
    (configuration.embedding, configuration.hidden, configuration.layers) = (5, 8, 2)
    let tracks = TrackSet.language(vocabulary: Self.vocabulary)
    let memory = memory(configuration, tracks)
    let shape = ChunkShape(steps: Self.steps, shards: 1, lanesPerShard: Self.lanes)
    let model = Model(configuration, tracks: tracks, memory: memory, shape: shape, precision: .float32)
    let before = Chunk(steps: Self.steps, lanes: Self.lanes, tracks: tracks)
    fill(before, first: 0) { t, _ in t == 0 }
    model.evaluate(before)
    let chunk = Chunk(steps: Self.steps, lanes: Self.lanes, tracks: tracks)
    func isReset(_ t: Int, _ lane: Int) -> Bool { lane == 1 && t == 4 }
    let sampler = InputSampler(
      configuration, tracks: tracks, memory: memory, shape: shape, firstLane: 10, key: Self.key)

    for share in [0, 0.5, 1] {
      fill(chunk, first: Self.steps, isReset: isReset)
      // What nothing is asked of: its successor is read as it is.
      chunk.weights[2 * Self.lanes + 2] = 0
      sampler.replaceInputs(of: chunk, number: 3, share: share, from: model.states)
      for lane in 0..<Self.lanes {
        let read = inputs(chunk, lane: lane)
        #expect(read[0] == token(Self.steps, lane), "the first of a chunk")
        for t in 0..<Self.steps - 1 {
          let truth = token(Self.steps + t + 1, lane)
          if isReset(t + 1, lane) || (t, lane) == (2, 2) {
            #expect(read[t + 1] == truth)
            continue
          }
          let stream: [Int32] =
            lane == 1 && t >= 4
            ? Array(read[4...t])
            : (initialState == .zero ? [] : inputs(before, lane: lane)) + read[...t]
          expect(
            read[t + 1], true: truth, number: 3, lane: lane, after: t, share: share,
            predict(configuration, tracks, memory, stream))
        }
      }
    }
  }

  /// The probabilities of the tokens that follow a stream, of a source.
  private func predict(
    _ configuration: ModelConfiguration, _ tracks: TrackSet, _ memory: ParameterMemory, _ stream: [Int32],
    source: [Int32] = []
  ) -> [Double] {
    let model = Model(
      configuration, tracks: tracks, memory: memory,
      shape: ChunkShape(steps: stream.count, sourceSteps: source.count, shards: 1, lanesPerShard: 1),
      precision: .float32)
    let chunk = Chunk(steps: stream.count, sourceSteps: source.count, lanes: 1, tracks: tracks)
    func fill(_ chunk: Chunk, _ tokens: [Int32]) {
      chunk.clear(steps: tokens.count)
      for (t, token) in tokens.enumerated() {
        chunk.tokens(.input)[t] = token
        chunk.weights[t] = 1
        chunk.resets[t] = t == 0 ? 1 : 0
      }
    }
    fill(chunk, stream)
    if let ofSource = chunk.source { fill(ofSource, source) }
    let logits = model.predict(chunk)
    let largest = (0..<logits.columns).reduce(-Float.infinity) { max($0, logits[0][$1]) }
    let exponentials = (0..<logits.columns).map { exp(Double(logits[0][$0] - largest)) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }

  @Test(arguments: [AttentionMoment.before, .after])
  func `inputs of targets are what the model says of the source and those before`(_ moment: AttentionMoment) {
    var configuration = ModelConfiguration()
    (configuration.cell, configuration.layers, configuration.bidirectional) = ("gru", 2, true)
    (configuration.embedding, configuration.hidden) = (5, 6)
    (configuration.sourceAttention.score, configuration.sourceAttention.attend) = (.additive, moment)
    let tracks = TrackSet(
      [.input: .tokens(count: Self.vocabulary), .target: .tokens(count: Self.vocabulary)],
      source: .tokens(count: Self.vocabulary))
    let memory = memory(configuration, tracks)
    let sourceSteps = 6
    let shape = ChunkShape(
      steps: Self.steps, sourceSteps: sourceSteps, shards: 1, lanesPerShard: Self.lanes)
    let model = Model(configuration, tracks: tracks, memory: memory, shape: shape, precision: .float32)
    let sampler = InputSampler(
      configuration, tracks: tracks, memory: memory, shape: shape, firstLane: 10, key: Self.key)
    let chunk = Chunk(steps: Self.steps, sourceSteps: sourceSteps, lanes: Self.lanes, tracks: tracks)
    fill(chunk, first: 0) { t, _ in t == 0 }
    let sources = (0..<Self.lanes).map { lane in (0...lane + 2).map { token($0, lane + 5) } }
    chunk.source?.clear(steps: sourceSteps - 1)
    for (lane, source) in sources.enumerated() {
      for (s, token) in source.enumerated() {
        let position = s * Self.lanes + lane
        chunk.source?.tokens(.input)[position] = token
        chunk.source?.weights[position] = 1
        chunk.source?.resets[position] = s == 0 ? 1 : 0
      }
    }
    sampler.replaceInputs(of: chunk, number: 0, share: 0.7, from: model.states)
    for lane in 0..<Self.lanes {
      let read = inputs(chunk, lane: lane)
      #expect(read[0] == token(0, lane))
      for t in 0..<Self.steps - 1 {
        expect(
          read[t + 1], true: token(t + 1, lane), number: 0, lane: lane, after: t, share: 0.7,
          predict(configuration, tracks, memory, Array(read[...t]), source: sources[lane]))
      }
    }
  }
}
