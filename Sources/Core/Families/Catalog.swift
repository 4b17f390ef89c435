import Chunks
import Preconditions

/// What models are put together from: each member is a file of its own and a line here.
enum Catalog {
  /// The layers of a stack.
  static func layer(_ kind: CellKind) -> any LayerKind.Type {
    switch kind {
    case .rnn: RNNCell.self
    case .lstm: LSTMCell.self
    case .gru: GRUCell.self
    }
  }

  /// What models are trained for; where none is chosen, the first that suits the targets best.
  static var objectives: [any Objective.Type] {
    [
      CrossEntropy.self,
      SquaredError.self,
      Gaussian.self,
      Bernoulli.self,
    ]
  }

  /// Puts a model together; the head is its last module.
  @discardableResult
  static func build(_ configuration: ModelConfiguration, _ builder: Builder) -> Head {
    Stack(configuration).build(builder)
  }
}

/// A kind of layer that stacks are made of.
protocol LayerKind {
  /// Adds layer `index` of a stack; returns its output.
  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput
  ) -> Signal
}

/// A way to put modules together from settings and the tracks of the data.
protocol ModelFamily {
  /// Adds all modules; the head is the last.
  func build(_ builder: Builder) -> Head
}
