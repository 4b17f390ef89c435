import Chunks
import Core
import Evaluation

/// Professor forcing in the steps of a training (Lamb et al. 2016): before the model is trained on a chunk, it draws the
/// chunk's inputs itself, and learns to have outputs that the discriminator can't tell from those of true inputs.
struct ProfessorForcing {
  private let sampler: InputSampler
  private let drawn: Chunk
  /// The states that enter a chunk.
  private let entering: [Buffer<Float>]

  /// - Parameters:
  ///   - tracks: Those of the chunks.
  ///   - sampler: What draws inputs for that model.
  init(_ model: Model, tracks: TrackSet, _ sampler: InputSampler) {
    self.sampler = sampler
    let shape = model.shape
    drawn = Chunk(steps: shape.steps, sourceSteps: shape.sourceSteps, lanes: shape.lanes, tracks: tracks)
    entering = model.states.map { Buffer(count: $0.values.count) }
  }

  /// Call at the beginning of each step, before its chunks.
  func prepareWeights() { sampler.prepareWeights() }

  /// Trains the model on a chunk whose inputs it draws itself; leaves its states as they were.
  func train(_ model: Model, on chunk: Chunk) {
    drawn.copy(steps: 0..<chunk.steps, of: chunk)
    if let source = chunk.source { drawn.source?.copy(steps: 0..<source.steps, of: source) }
    drawn.number = chunk.number
    for (state, copy) in zip(model.states, entering) {
      copy.base.update(from: state.values.base, count: copy.count)
    }
    sampler.replaceInputs(of: drawn, number: chunk.number, share: 1, from: model.states)
    model.trainOnDrawnInputs(drawn)
    for (state, copy) in zip(model.states, entering) {
      state.values.base.update(from: copy.base, count: copy.count)
    }
  }
}
