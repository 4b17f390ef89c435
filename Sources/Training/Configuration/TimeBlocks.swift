import Core
import Settings

extension Configuration {
  /// The steps of a chunk in evaluations: those in training, or where these are cut into blocks and the state is carried, so
  /// that cuts don't matter, few enough to take little memory beside a block.
  package var evaluationChunk: Int {
    guard training.timeBlocks > 1, model.initialState != .zero else { return training.chunk }
    return min(training.chunk / training.timeBlocks, 4096)
  }

  /// Checks that chunks may be cut into blocks of time steps.
  ///
  /// - Throws: `ConfigurationError`.
  func checkTimeBlocks() throws {
    guard training.timeBlocks > 1 else { return }
    let obstacle: (setting: String, reason: String, remedy: String)? =
      if model.bidirectional {
        ("model.bidirectional true", "both directions need whole streams", "model.bidirectional false")
      } else if data.mode == .whole {
        ("data.mode whole", "chunks are of many lengths", "data.mode packed or contiguous")
      } else if training.sampling.decay != .none {
        (
          "training.sampling.decay \(training.sampling.decay)", "inputs are drawn one after another",
          "training.sampling.decay none"
        )
      } else if model.discriminator.hidden > 0 {
        (
          "model.discriminator.hidden \(model.discriminator.hidden)", "inputs are drawn one after another",
          "model.discriminator.hidden 0"
        )
      } else {
        nil
      }
    if let (setting, reason, remedy) = obstacle { throw refusal(setting, reason, remedy) }
    if let (layer, reason, others) = model.obstacleToTimeBlocks {
      throw refusal(
        "model.cell \(layer)", reason, "model.cell to layers of \(others.joined(separator: ", "))")
    }
    let steps = training.chunk / training.timeBlocks
    if let (setting, inputs) = model.longestWindow, inputs - 1 > steps {
      throw ConfigurationError(
        "training.time_blocks \(training.timeBlocks) makes blocks of \(steps) steps of training.chunk \(training.chunk), but "
          + "\(setting) \(inputs) reads \(inputs - 1) steps back; set training.chunk to at least "
          + "\((inputs - 1) * training.timeBlocks)")
    }
  }

  /// Checks the same against the data.
  ///
  /// - Throws: `ConfigurationError`.
  package func checkTimeBlocks(arePairs: Bool) throws {
    guard training.timeBlocks > 1, arePairs else { return }
    throw ConfigurationError(
      "training.time_blocks \(training.timeBlocks) cuts chunks in time, but the data are pairs, which are played whole; set "
        + "training.time_blocks 1")
  }

  private func refusal(_ setting: String, _ reason: String, _ remedy: String) -> ConfigurationError {
    ConfigurationError(
      "training.time_blocks \(training.timeBlocks) cuts chunks in time, which \(setting) doesn't allow: \(reason); set "
        + "\(remedy), or training.time_blocks 1")
  }
}
