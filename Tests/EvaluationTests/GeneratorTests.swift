import Core
import Evaluation
import Random
import Testing

@Suite struct GeneratorTests {
  private func generator(
    _ cell: LayerNames, layerNorm: Bool, initialState: InitialState, hidden: Int
  ) -> Generator {
    var configuration = ModelConfiguration()
    (configuration.embedding, configuration.hidden, configuration.layers) = (5, hidden, 2)
    (configuration.cell, configuration.layerNorm) = (cell, layerNorm)
    configuration.initialState = initialState
    // Heads of pairs.
    if cell == "attention" { configuration.hidden = (hidden + 7) / 8 * 8 }
    let memory = ParameterMemory(
      layout: Blueprint(configuration, tracks: .language(vocabulary: 7)).layout, shards: 0)
    var random = RandomStream(RandomKey(seed: 5, purpose: .initialization))
    for parameter in memory.layout.parameters {
      for index in parameter.range { memory.weights[index] = Float(random.uniform() - 0.5) }
    }
    return Generator(configuration, tracks: .language(vocabulary: 7), memory: memory)
  }

  @Test(arguments: LayerNames.each, [false, true])
  func `a long prompt is read as its tokens one by one`(_ cell: LayerNames, _ layerNorm: Bool) {
    let prompt = (0..<200).map { Int32($0 * $0 % 11 % 7) }
    for (initialState, hidden) in [(InitialState.learnt, 6), (.zero, 33)] {
      func generator() -> Generator {
        self.generator(cell, layerNorm: layerNorm, initialState: initialState, hidden: hidden)
      }
      func draw(_ generator: Generator, _ prompt: [Int32]) -> [Int32] {
        var tokens: [Int32] = []
        generator.generate(prompt: prompt, count: 300, sampler: Sampler(), seed: 1) { tokens.append($0) }
        return tokens
      }
      let stepwise = generator()
      for pair in zip(prompt, prompt.dropFirst()) {
        stepwise.generate(prompt: [pair.0, pair.1], count: 0, sampler: Sampler(), seed: 1) { _ in }
      }
      let expected = draw(stepwise, [prompt[199]])
      #expect(draw(generator(), prompt) == expected)
      // Some are read before, so that what is carried enters the chunks.
      let parted = generator()
      parted.generate(prompt: Array(prompt[...30]), count: 0, sampler: Sampler(), seed: 1) { _ in }
      #expect(draw(parted, Array(prompt[30...])) == expected)
    }
  }

  private func generate(
    _ initialState: InitialState = .carried, prompt: [Int32] = [1, 2], sampler: Sampler = Sampler(),
    seed: UInt64 = 1
  ) -> [Int32] {
    var configuration = ModelConfiguration()
    (configuration.embedding, configuration.hidden, configuration.layers) = (5, 6, 2)
    configuration.initialState = initialState
    let memory = ParameterMemory(
      layout: Blueprint(configuration, tracks: .language(vocabulary: 7)).layout, shards: 0)
    var random = RandomStream(RandomKey(seed: 5, purpose: .initialization))
    for parameter in memory.layout.parameters {
      for index in parameter.range { memory.weights[index] = Float(4 * random.uniform() - 2) }
    }
    var tokens: [Int32] = []
    Generator(configuration, tracks: .language(vocabulary: 7), memory: memory)
      .generate(prompt: prompt, count: 60, sampler: sampler, seed: seed) { tokens.append($0) }
    return tokens
  }

  @Test func `the same seed gives the same tokens, another seed others`() {
    let tokens = generate()
    #expect(tokens.count == 60 && tokens.allSatisfy { (0..<7).contains($0) })
    #expect(generate() == tokens)
    #expect(generate(seed: 2) != tokens)
    #expect(generate(prompt: [2, 2]) != tokens)
  }

  @Test func `at temperature zero the seed does not matter`() {
    #expect(generate(sampler: Sampler(temperature: 0), seed: 9) == generate(sampler: Sampler(temperature: 0)))
  }

  /// A model without memory would draw from a function of the last token alone.
  @Test func `a model that begins every chunk at zero remembers its text too`() {
    #expect(generate(.zero) == generate(.carried))
  }
}
