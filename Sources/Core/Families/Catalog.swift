import Chunks
import Preconditions

/// What models are put together from: each member is a file of its own and a line here.
enum Catalog {
  /// The layers of a stack.
  static var layers: [any LayerKind.Type] {
    [
      RNNCell.self,
      LSTMCell.self,
      GRUCell.self,
      LSTM2Cell.self,
      MinGRUCell.self,
      MinLSTMCell.self,
      LRULayer.self,
      S4DLayer.self,
      MambaLayer.self,
      ConvLayer.self,
      AttentionLayer.self,
      MLPLayer.self,
    ]
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

  /// Puts a model together, up to its head.
  @discardableResult
  static func build(_ configuration: ModelConfiguration, _ builder: Builder) -> Head {
    let family: any ModelFamily =
      builder.tracks.source == nil ? Stack(configuration) : EncoderDecoder(configuration)
    return family.build(builder)
  }
}

extension Catalog {
  /// The layer of that name, if there is one.
  static func layer(_ name: String) -> (any LayerKind.Type)? { layers.first { $0.name == name } }
}

/// A kind of layer that stacks are made of.
protocol LayerKind {
  /// The settings of its own, `model.NAME.KEY`.
  associatedtype Options: LayerOptions = NoOptions
  /// What `model.cell` calls it.
  static var name: String { get }
  /// Whether it is linear in its inputs, so that blocks put GELU and a gated linear unit behind it.
  static var isLinear: Bool { get }
  /// Why chunks can't be cut for it into blocks of time steps (see `Timeline`); nil where they can.
  static var obstacleToTimeBlocks: String? { get }
  /// The setting of its own that says how many inputs it reads at a time, and how many these are; nil where it reads one.
  static func window(_ configuration: ModelConfiguration) -> (setting: String, inputs: Int)?
  /// Checks its settings against each other.
  ///
  /// - Throws: `ConfigurationError`.
  static func check(_ configuration: ModelConfiguration) throws
  /// Adds layer `index` of a stack; returns its output.
  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput
  ) -> Signal
}

extension LayerKind {
  static var isLinear: Bool { false }
  static var obstacleToTimeBlocks: String? { "it doesn't pass on what it carries" }
  static func window(_ configuration: ModelConfiguration) -> (setting: String, inputs: Int)? { nil }
  static func check(_ configuration: ModelConfiguration) throws {}

  /// Adds it in a direction; only reversible ones go in reverse.
  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    going direction: Direction
  ) -> Signal {
    guard direction == .reverse else {
      return add(to: builder, configuration, layer: index, reading: input)
    }
    guard let reversible = self as? any ReversibleLayer.Type else {
      preconditionFailure("\(name) layers have one direction")
    }
    return reversible.add(
      to: builder, configuration, layer: index, reading: input, direction: direction)
  }
}

/// A layer that reads streams both ways by itself where the model is bidirectional.
protocol TwoWayLayer: LayerKind {}

/// A layer that can also go through the time steps of a chunk in reverse.
protocol ReversibleLayer: LayerKind {
  /// Adds layer `index` of a stack, going in that direction; returns its output.
  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction
  ) -> Signal
}

extension ReversibleLayer {
  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput
  ) -> Signal {
    add(to: builder, configuration, layer: index, reading: input, direction: .forward)
  }
}

/// A way to put modules together from settings and the tracks of the data.
protocol ModelFamily {
  /// Adds all modules; returns the head behind them.
  func build(_ builder: Builder) -> Head
}
