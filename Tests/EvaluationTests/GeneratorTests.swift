import Core
import Evaluation
import Random
import Testing

@Suite struct GeneratorTests {
  private func generate(
    _ initialState: InitialState = .carried, prompt: [Int32] = [1, 2], sampler: Sampler = Sampler(),
    seed: UInt64 = 1
  ) -> [Int32] {
    var configuration = ModelConfiguration()
    (configuration.embedding, configuration.hidden, configuration.layers) = (5, 6, 2)
    configuration.initialState = initialState
    let memory = ParameterMemory(layout: LanguageModel.layout(configuration, vocabulary: 7), shards: 0)
    var random = RandomStream(RandomKey(seed: 5, purpose: .initialization))
    for parameter in memory.layout.parameters {
      for index in parameter.range { memory.weights[index] = Float(4 * random.uniform() - 2) }
    }
    var tokens: [Int32] = []
    Generator(configuration, memory: memory)
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
