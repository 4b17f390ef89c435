/// The kind of recurrent cell.
package enum CellKind: String, Sendable, CaseIterable {
  case rnn, lstm, gru
}

/// The activation of the Elman RNN.
package enum Activation: String, Sendable, CaseIterable {
  case tanh, relu
}

/// Where the state of a lane begins.
package enum InitialState: String, Sendable, CaseIterable {
  /// Zero at the start of every chunk: nothing is carried.
  case zero
  /// Zero where a stream begins, carried from chunk to chunk within it.
  case carried
  /// A learnt vector where a stream begins, carried from chunk to chunk within it.
  case learnt
}

/// How weight matrices are filled before training.
package enum WeightInitialization: String, Sendable, CaseIterable {
  /// Uniform with variance 2 / (inputs + outputs) (Glorot & Bengio 2010), gate by gate.
  case xavier
  /// Normal with variance 2 / inputs (He et al. 2015).
  case he
  /// An orthogonal matrix for each gate (Saxe et al. 2014).
  case orthogonal
  /// Uniform between -1 and 1 over the square root of the hidden size: what PyTorch does.
  case uniform
}

/// What determines a model's parameters and equations, apart from the vocabulary, which belongs to the data.
package struct ModelConfiguration: Sendable, Equatable {
  /// How the weights are filled.
  package struct Initialization: Sendable, Equatable {
    /// The matrices that read a layer's input, and the head.
    package var input = WeightInitialization.xavier
    /// The matrices that read the previous state.
    package var recurrent = WeightInitialization.orthogonal
    /// The bias of the gate that keeps the state, the LSTM's forget gate and the GRU's update gate (Gers et al. 2000;
    /// Jozefowicz et al. 2015); the other biases begin at zero.
    package var forgetBias = 1.0

    /// The defaults.
    package init() {}
  }

  /// The recurrent cell.
  package var cell = CellKind.lstm
  /// The activation, where `cell` is `.rnn`.
  package var activation = Activation.tanh
  /// E, the width of the embedding.
  package var embedding = 128
  /// H, the width of each recurrent layer.
  package var hidden = 256
  /// The number of recurrent layers.
  package var layers = 2
  /// The probability that an output of a layer is dropped before the next layer.
  package var dropout = 0.0
  /// Whether the output of each layer is normalised (Ba et al. 2016).
  package var layerNorm = false
  /// Whether the head's weights are the embedding's; the embedding is then as wide as the hidden layers.
  package var tied = false
  /// Where the state of a lane begins.
  package var initialState = InitialState.carried
  /// How the weights are filled.
  package var initialization = Initialization()

  /// The defaults.
  package init() {}
}
