import Chunks
import Settings

/// How attention knows where positions are.
package enum AttentionPositions: String, Sendable, CaseIterable, SettingValue {
  /// By queries and keys that are turned by their positions (Su et al. 2021).
  case rotary
  /// By sines and cosines that are added to what the first layer reads (Vaswani et al. 2017).
  case sinusoidal
}

/// The settings of attention.
package struct AttentionOptions: LayerOptions {
  /// The heads among which the width is divided.
  package var heads = 4
  /// M, the positions before each one that it sees.
  package var memory = 256
  /// How it knows where positions are.
  package var positions = AttentionPositions.rotary

  package init() {}

  package static let settings: [Setting<AttentionOptions>] = [
    Setting(
      "heads", \.heads, .within(1, 1024), "Heads of an attention layer",
      synonyms: "nhead nheads numheads attentionheads numattentionheads"),
    Setting(
      "memory", \.memory, .within(1, 1 << 20),
      "Positions before its own that an attention layer sees, also in earlier chunks",
      synonyms: "memlen memorylength"),
    Setting(
      "positions", \.positions,
      "How attention knows positions: queries and keys turned by them, or sines added to the first layer's input",
      synonyms: "positionalencoding posencoding"),
  ]
}

/// Multi-head self-attention (Vaswani et al. 2017) over the M positions before each one and itself, with keys and values
/// carried over chunks as Transformer-XL carries its inputs (Dai et al. 2019), and rotary positions (Su et al. 2021; none
/// where positions are sinusoidal):
///
///     q_t, k_t, v_t = split(qkv x_t)
///     y_t = out_proj(concat over heads of sum_j softmax_j(rot(t, q_t) . rot(j, k_j) / sqrt(D)) v_j)
///
/// for the positions j from t - M to t that are of the same stream; in a bidirectional model for all of its stream.
enum AttentionLayer: TwoWayLayer {
  typealias Options = AttentionOptions
  static let name = "attention"
  static let obstacleToTimeBlocks: String? = "its steps read many before"

  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput
  ) -> Signal {
    let (name, options) = ("\(name).\(index)", configuration[AttentionOptions.self])
    let projected = map(
      "\(name).qkv", builder, configuration, reading: input.signal(builder), blocks: 3)
    let attention = SelfAttention(
      builder, name: name, reading: projected, heads: options.heads,
      memory: configuration.bidirectional ? nil : options.memory,
      carries: configuration.initialState != .zero, isRotary: options.positions == .rotary)
    return map(
      "\(name).out_proj", builder, configuration, reading: attention.output,
      factor: configuration.writerFactor)
  }

  /// `blocks` linear maps of a signal beside each other, each to the width of the layers.
  static func map(
    _ name: String, _ builder: Builder, _ configuration: ModelConfiguration, reading x: Signal,
    blocks: Int = 1, factor: Double = 1
  ) -> Signal {
    let (width, inputs) = (configuration.layerWidth, x.value.columns)
    let initializer = Initializer.weights(
      configuration.initialization.input, outputs: width, inputs: inputs, blocks: blocks, hidden: inputs
    ).scaled(by: factor)
    return Linear(builder, name: name, reading: x, outputs: blocks * width, initializer: initializer).output
  }

  static func check(_ configuration: ModelConfiguration) throws {
    let (heads, width) = (configuration[AttentionOptions.self].heads, configuration.layerWidth)
    guard width % (2 * heads) != 0 else { return }
    let found = "model.attention.heads \(heads) cuts a width of \(width) into heads of "
    let wrong =
      width % heads == 0
      ? "\(width / heads) columns; rotary positions turn pairs of them"
      : "\(width / heads) columns and a rest of \(width % heads)"
    let fitting = (1...width).filter { width % (2 * $0) == 0 }
    let near = fitting.sorted { (abs($0 - heads), $0) < (abs($1 - heads), $1) }.prefix(3).sorted()
    throw ConfigurationError(
      "\(found)\(wrong); set "
        + (near.isEmpty ? "" : "it to one of \(near.map(String.init).joined(separator: ", ")), or ")
        + "model.hidden to a multiple of \(2 * heads)")
  }
}
