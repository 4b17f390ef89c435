import Core

extension Setting {
  /// Every setting, section by section, in the order in which they are written.
  package static let all: [Setting] = data + model + training + optimizer + schedule + checkpoint + evaluation

  /// Steps, lanes and streams are counted in 32 bits where they key random numbers.
  private static let most = Int(UInt32.max)

  private static let data = [
    Setting(
      "data.path", \.data.path, mayChange: true,
      "Dataset to train on; empty for the embedded grammar. The dataset's fingerprint must stay the same."),
    Setting(
      "data.mode", \.data.mode,
      "contiguous: a lane plays one part of the whole split; packed: whole streams, shuffled; auto: packed where "
        + "there are many short ones"),
  ]

  private static let model = [
    Setting("model.cell", \.model.cell, "Recurrent cell"),
    Setting("model.activation", \.model.activation, "Activation of the rnn cell"),
    Setting("model.embedding", \.model.embedding, .within(1, 65_536), "Width of the embedding"),
    Setting("model.hidden", \.model.hidden, .within(1, 65_536), "Width of each recurrent layer"),
    Setting("model.layers", \.model.layers, .within(1, 1024), "Number of recurrent layers"),
    Setting(
      "model.dropout", \.model.dropout, .belowOne, "Share of outputs dropped between layers"),
    Setting("model.layer_norm", \.model.layerNorm, "Whether the output of each layer is normalised"),
    Setting(
      "model.tied", \.model.tied, "Whether the head's weights are the embedding's (embedding = hidden)"),
    Setting(
      "model.initial_state", \.model.initialState,
      "State of a lane: zero in every chunk, carried from zero, or carried from a learnt vector"),
    Setting(
      "model.initialization.input", \.model.initialization.input,
      "How matrices that read a layer's input, and the head, are filled"),
    Setting(
      "model.initialization.recurrent", \.model.initialization.recurrent,
      "How matrices that read the previous state are filled"),
    Setting(
      "model.initialization.forget_bias", \.model.initialization.forgetBias, .within(-1000, 1000),
      "Bias, at the start, of the gate that keeps the state: lstm's forget gate, gru's update gate"),
  ]

  private static let training = [
    Setting("training.lanes", \.training.lanes, .within(1, 1 << 24), "Rows of the batch over all ranks"),
    Setting(
      "training.shards", \.training.shards, .within(0, 1 << 16),
      "Groups of lanes spread over ranks, at least as many as ranks; 0: the ranks of the first launch"),
    Setting("training.chunk", \.training.chunk, .within(1, 1 << 20), "Steps in time that gradients run back"),
    Setting(
      "training.steps", \.training.steps, .within(0, most), mayChange: true,
      "Updates to make; 0: as many as the epochs have, or 1000. With both set, what comes first"),
    Setting(
      "training.epochs", \.training.epochs, .within(0, most), mayChange: true,
      "Passes over the data to make, each of as many chunks as the first; 0: as many as the steps need"),
    Setting(
      "training.accumulate", \.training.accumulate, .within(1, 1 << 16), "Chunks of every lane in one update"),
    Setting("training.seed", \.training.seed, .within(0, Int.max), "Seed of every random number"),
    Setting(
      "training.clip_norm", \.training.clipNorm, .within(0, 1e30),
      "Global gradient norm above which gradients are scaled down to it; 0: never"),
    Setting(
      "training.precision", \.training.precision,
      "Inputs of matrix products; weights, sums, gates and states are float32"),
    Setting(
      "training.non_finite", \.training.nonFinite, mayChange: true,
      "When a loss, gradient or state is not finite: stop the job, or skip the step"),
    Setting(
      "training.non_finite_limit", \.training.nonFiniteLimit, .within(1, most), mayChange: true,
      "Most steps in a row that are skipped before the job is stopped"),
    Setting(
      "training.log_every", \.training.logEvery, .within(1, most), mayChange: true,
      "Steps between two rows of metrics"),
  ]

  private static let optimizer = [
    Setting("training.optimizer.name", \.training.optimizer.name, "Rule of the update"),
    Setting(
      "training.optimizer.learning_rate", \.training.optimizer.learningRate, .above(0, to: 1000),
      mayChange: true, "Learning rate before the schedule's factor"),
    Setting(
      "training.optimizer.momentum", \.training.optimizer.momentum, .belowOne, "Momentum of sgd"),
    Setting(
      "training.optimizer.nesterov", \.training.optimizer.nesterov,
      "Whether sgd looks ahead along its momentum"),
    Setting(
      "training.optimizer.beta1", \.training.optimizer.beta1, .belowOne,
      "Decay of the mean of gradients (adam, adamw)"),
    Setting(
      "training.optimizer.beta2", \.training.optimizer.beta2, .belowOne,
      "Decay of the mean of squared gradients (adam, adamw)"),
    // The kernels divide by numbers from 2^-126 up.
    Setting(
      "training.optimizer.epsilon", \.training.optimizer.epsilon, .within(1e-30, 1),
      "Added to the root of the mean of squares (adam, adamw)"),
    Setting(
      "training.optimizer.weight_decay", \.training.optimizer.weightDecay, .within(0, 1000),
      "Decoupled decay of weights a step, times the learning rate (sgd, adamw)"),
    Setting(
      "training.optimizer.no_decay", \.training.optimizer.noDecay,
      "Parameters that do not decay: patterns over their names, with * and ?"),
  ]

  private static let schedule = [
    Setting(
      "training.schedule.name", \.training.schedule.name, mayChange: true,
      "How the learning rate moves after the warm-up"),
    Setting(
      "training.schedule.warmup", \.training.schedule.warmup, .within(0, most), mayChange: true,
      "Steps over which the learning rate rises from zero"),
    Setting(
      "training.schedule.final", \.training.schedule.final, .within(0, 1), mayChange: true,
      "Fraction of the learning rate left at the last step (cosine, linear)"),
    Setting(
      "training.schedule.factor", \.training.schedule.factor, .above(0, to: 1), mayChange: true,
      "What the learning rate is multiplied by when validation stops improving (plateau)"),
    Setting(
      "training.schedule.patience", \.training.schedule.patience, .within(1, most), mayChange: true,
      "Validations without improvement before that (plateau)"),
  ]

  private static let checkpoint = [
    Setting(
      "checkpoint.every", \.checkpoint.every, .within(0, most), mayChange: true,
      "Steps between two checkpoints; 0: only at the end or when stopped"),
    Setting(
      "checkpoint.keep", \.checkpoint.keep, .within(1, most), mayChange: true,
      "Newest checkpoints that are kept, besides the best"),
  ]

  private static let evaluation = [
    Setting(
      "evaluation.every", \.evaluation.every, .within(0, most), mayChange: true,
      "Steps between two validations; 0: none"),
    Setting(
      "evaluation.patience", \.evaluation.patience, .within(0, most), mayChange: true,
      "Validations without improvement after which the run is finished; 0: never"),
  ]
}
