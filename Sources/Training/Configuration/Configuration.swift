import Core
import Sequences
import Settings

/// Everything that determines a run: what is trained, on which data, how, and what is kept of it.
///
/// `settings` names every value in it; reading, writing, checking and comparing go through that table.
package struct Configuration: Sendable, Equatable {
  /// What is read.
  package var data = DataConfiguration()
  /// What is trained.
  package var model = ModelConfiguration()
  /// How it is trained.
  package var training = TrainingConfiguration()
  /// What is kept to resume from.
  package var checkpoint = CheckpointConfiguration()
  /// How it is judged while it trains.
  package var evaluation = EvaluationConfiguration()

  /// The defaults.
  package init() {}
}

extension Configuration {
  /// Every setting, section by section, in the order in which they are written.
  package static let settings = SettingTable<Configuration>(
    DataConfiguration.settings.lifted("data", \.data)
      + ModelConfiguration.settings.lifted("model", \.model)
      + TrainingConfiguration.settings.lifted("training", \.training)
      + CheckpointConfiguration.settings.lifted("checkpoint", \.checkpoint)
      + EvaluationConfiguration.settings.lifted("evaluation", \.evaluation))
}

extension Configuration {
  /// The settings of a run that names neither settings nor data: a model that comes near the floor of the embedded text
  /// in a minute or two on two cores.
  package static let firstRun: Configuration = {
    var configuration = Configuration()
    configuration.model.cell = "gru"
    configuration.model.embedding = 32
    configuration.model.layers = 1
    configuration.model.initialization.forgetBias = 2
    configuration.training.lanes = 24
    configuration.training.chunk = 128
    configuration.training.steps = 1200
    configuration.training.logEvery = 50
    configuration.training.optimizer.learningRate = 0.01
    configuration.training.schedule.name = .linear
    configuration.training.schedule.warmup = 50
    configuration.training.schedule.final = 0.02
    configuration.checkpoint.every = 400
    configuration.evaluation.every = 400
    return configuration
  }()
}

extension Configuration {
  /// The seed with which validations let the model run free; nil where they don't.
  package var freeRunningSeed: UInt64? { evaluation.freeRunning ? training.seedBits : nil }

  /// How a training plays the split `train`.
  ///
  /// - Throws: `DataError` where it can't; it names what works.
  package func schedule(of dataset: SequenceDataset) throws -> Schedule {
    let split = try dataset.split("train")
    do {
      return try Schedule(
        streams: split.streams, lanes: training.lanes, chunk: training.chunk, mode: data.mode,
        traversal: .training(seed: training.seedBits), longest: data.longest)
    } catch let error as DataError {
      throw DataError("split train: \(error)", path: dataset.path)
    }
  }
}
