import Evaluation

extension TrainedModel {
  /// Text that the model continues a prompt with: a function of the weights, the prompt, the sampler and the seed.
  ///
  /// - Parameters:
  ///   - prompt: What the model reads first.
  ///   - length: The number of tokens to draw.
  /// - Returns: The prompt and its continuation.
  /// - Throws: `TrainingError` where the prompt is empty, `DataError` where it has what the vocabulary does not.
  public func generate(prompt: String, length: Int, sampler: Sampler, seed: Int) throws -> String {
    guard !prompt.isEmpty else {
      throw TrainingError("the prompt is empty; a model begins by reading at least one token")
    }
    var tokens = try vocabulary.encode(prompt)
    let generator = Generator(configuration.model, memory: memory)
    generator.generate(
      prompt: tokens, count: length, sampler: sampler, seed: UInt64(bitPattern: Int64(seed))
    ) { tokens.append($0) }
    return vocabulary.decode(tokens)
  }
}
