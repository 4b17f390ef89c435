import Core
import Sequences

/// Everything that determines a run: what is trained, on which data, how, and what is kept of it.
///
/// `Setting.all` names every value in it; reading, writing, checking and comparing go through that table.
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

/// What is read.
package struct DataConfiguration: Sendable, Equatable {
  /// The dataset's file; empty for the embedded grammar.
  package var path = ""
  /// How streams are laid out over lanes.
  package var mode = ScheduleMode.auto

  /// The defaults.
  package init() {}
}

/// What happens when a loss, gradient or state is not finite.
package enum NonFinitePolicy: String, Sendable, CaseIterable {
  /// The job ends, naming step, rank, lane and tensor.
  case stop
  /// The step is left out, at most so many times in a row.
  case skip
}

/// How it is trained.
package struct TrainingConfiguration: Sendable, Equatable {
  /// B, the rows of the global batch, over all ranks.
  package var lanes = 48
  /// The fixed groups of lanes that are spread over ranks; 0 for the ranks of the run's first launch.
  package var shards = 0
  /// T, the steps of every lane between two cuts of the gradient.
  package var chunk = 64
  /// The updates after which the run is finished; 0 where `epochs` alone decides.
  package var steps = 0
  /// The passes over the data, each counted as the chunks of the first, after which the run is finished; 0 where `steps`
  /// alone decides.
  package var epochs = 0
  /// The chunks of every lane whose gradients make one update.
  package var accumulate = 1
  /// The seed of every random number.
  package var seed = 1
  /// The global gradient norm above which gradients are scaled down; 0 for no clipping.
  package var clipNorm = 1.0
  /// The type of the inputs of matrix products.
  package var precision = Precision.float32
  /// What happens when a loss, gradient or state is not finite.
  package var nonFinite = NonFinitePolicy.stop
  /// The most steps in a row that may be skipped.
  package var nonFiniteLimit = 10
  /// The steps between two rows of metrics.
  package var logEvery = 10
  /// How weights are updated.
  package var optimizer = OptimizerConfiguration()
  /// How the learning rate moves.
  package var schedule = ScheduleConfiguration()

  /// The most updates of a run: in 32 bits they key random numbers.
  static let mostSteps = Int(UInt32.max)

  /// The updates of a run that sets neither `steps` nor `epochs`.
  package static let defaultSteps = 1000

  /// The defaults.
  package init() {}
}

/// The rule that turns gradients into updates.
package enum OptimizerName: String, Sendable, CaseIterable {
  case sgd, adam, adamw
}

/// How weights are updated.
package struct OptimizerConfiguration: Sendable, Equatable {
  /// The rule.
  package var name = OptimizerName.adam
  /// The learning rate before the schedule's factor.
  package var learningRate = 0.002
  /// The momentum of `sgd`.
  package var momentum = 0.0
  /// Whether `sgd` looks ahead along its momentum (Nesterov 1983).
  package var nesterov = false
  /// The decay of the mean of gradients in `adam` and `adamw`.
  package var beta1 = 0.9
  /// The decay of the mean of squared gradients in `adam` and `adamw`.
  package var beta2 = 0.999
  /// What `adam` and `adamw` add to the root of the mean of squares.
  package var epsilon = 1e-8
  /// The decoupled decay of weights a step, times the learning rate, in `sgd` and `adamw`.
  package var weightDecay = 0.0
  /// The parameters that do not decay: shell patterns over their names.
  package var noDecay = ["*bias*", "norm.*"]

  /// The defaults.
  package init() {}
}

/// The shape of the learning rate over the steps.
package enum ScheduleName: String, Sendable, CaseIterable {
  /// The same after the warm-up.
  case constant
  /// Half a cosine down to `final` (Loshchilov & Hutter 2017).
  case cosine
  /// A straight line down to `final`.
  case linear
  /// Falling with the inverse square root of the step after the warm-up (Vaswani et al. 2017).
  case inverseSquareRoot = "inverse_sqrt"
  /// Multiplied by `factor` whenever the validation loss has not improved for `patience` validations.
  case plateau
}

/// How the learning rate moves.
package struct ScheduleConfiguration: Sendable, Equatable {
  /// The shape.
  package var name = ScheduleName.constant
  /// The steps over which the rate rises from zero.
  package var warmup = 0
  /// What is left of the rate at the end of `cosine` and `linear`, as a fraction.
  package var final = 0.0
  /// What `plateau` multiplies the rate by.
  package var factor = 0.5
  /// The validations without improvement that `plateau` waits for.
  package var patience = 2

  /// The defaults.
  package init() {}
}

/// What is kept to resume from.
package struct CheckpointConfiguration: Sendable, Equatable {
  /// The steps between two checkpoints; 0 for one at the end or at a stop only.
  package var every = 200
  /// How many of the newest checkpoints are kept, besides the best.
  package var keep = 2

  /// The defaults.
  package init() {}
}

/// How it is judged while it trains.
package struct EvaluationConfiguration: Sendable, Equatable {
  /// The steps between two validations; 0 for none.
  package var every = 100
  /// The validations without improvement after which the run is finished; 0 for never.
  package var patience = 0

  /// The defaults.
  package init() {}
}

extension Configuration {
  /// The settings of a run that names neither settings nor data: a model that comes near the floor of the embedded text
  /// in a minute or two on two cores.
  package static let firstRun: Configuration = {
    var configuration = Configuration()
    configuration.model.cell = .gru
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
