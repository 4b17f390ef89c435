import Core
import Testing

/// A layer of the core beside its equations: what is tested of all layers is tested of each of these.
struct LayerUnderTest: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let equations: ReferenceLayer
  /// The name of the file in Fixtures, where `torch.nn` has the layer.
  let fixture: String?
  /// How far its values may be off: what GELU rounds, normalisation enlarges.
  let tolerance: Double
  /// Whether its bits do not depend on where chunks are cut; otherwise its values don't, to within the tolerance.
  let isCutExactly: Bool
  /// Chooses the layer.
  let configure: @Sendable (inout ModelConfiguration) -> Void

  /// Whether the slope of what it computes jumps somewhere.
  var hasCorner: Bool {
    var configuration = ModelConfiguration()
    configure(&configuration)
    return configuration.activation == .relu || configuration[MinGRUOptions.self].candidate == .positive
      || configuration[MinLSTMOptions.self].candidate == .positive
  }

  /// Whether the model may be bidirectional.
  var isReversible: Bool {
    var configuration = ModelConfiguration()
    configure(&configuration)
    configuration.bidirectional = true
    return (try? configuration.check()) != nil
  }

  init(
    _ kind: LayerNames, _ equations: ReferenceLayer, named description: String? = nil, fixture: String? = nil,
    tolerance: Double = 2e-6, isCutExactly: Bool = true,
    configure: @escaping @Sendable (inout ModelConfiguration) -> Void = { _ in }
  ) {
    testDescription = description ?? "\(kind)"
    self.equations = equations
    self.fixture = fixture
    self.tolerance = tolerance
    self.isCutExactly = isCutExactly
    self.configure = {
      $0.cell = kind
      configure(&$0)
    }
  }

  /// Attention of a few wide enough heads.
  private static func attention(
    _ description: String, heads: Int, memory: Int, positions: AttentionPositions = .rotary,
    fixture: String? = nil
  ) -> LayerUnderTest {
    LayerUnderTest(
      "attention", .attention, named: description, fixture: fixture, tolerance: 5e-6, isCutExactly: false
    ) {
      ($0[AttentionOptions.self].heads, $0[AttentionOptions.self].memory) = (heads, memory)
      $0[AttentionOptions.self].positions = positions
      $0.hidden = ($0.hidden + 2 * heads - 1) / (2 * heads) * 2 * heads
      $0.fitEmbedding()
    }
  }

  static let all = [
    LayerUnderTest("rnn", ReferenceCell.rnn(tanh).layer, fixture: "rnn"),
    LayerUnderTest("rnn", ReferenceCell.rnn(relu).layer, named: "relu rnn", fixture: "relu_rnn") {
      $0.activation = .relu
    },
    LayerUnderTest("lstm", ReferenceCell.lstm.layer, fixture: "lstm"),
    LayerUnderTest("gru", ReferenceCell.gru.layer, fixture: "gru"),
    LayerUnderTest("lstm2", ReferenceCell.lstm2.layer),
    LayerUnderTest("mingru", .minGRU, fixture: "mingru"),
    LayerUnderTest("mingru", .minGRU, named: "positive mingru", fixture: "positive_mingru") {
      $0[MinGRUOptions.self].candidate = .positive
    },
    LayerUnderTest("minlstm", .minLSTM, fixture: "minlstm"),
    LayerUnderTest("minlstm", .minLSTM, named: "positive minlstm", fixture: "positive_minlstm") {
      $0[MinLSTMOptions.self].candidate = .positive
    },
    LayerUnderTest("lru", .lru, fixture: "lru", tolerance: 5e-6) { $0[LRUOptions.self].states = 6 },
    LayerUnderTest("s4d", .s4d, fixture: "s4d", tolerance: 5e-6) { $0[S4DOptions.self].states = 6 },
    LayerUnderTest("s4d", .s4d, named: "s4d of one pair", tolerance: 5e-6) { $0[S4DOptions.self].states = 2 },
    LayerUnderTest("mamba", .mamba, fixture: "mamba", tolerance: 5e-6) {
      ($0[MambaOptions.self].states, $0[MambaOptions.self].kernel) = (5, 3)
    },
    LayerUnderTest("mamba", .mamba, named: "mamba without a window", tolerance: 5e-6) {
      $0[MambaOptions.self].states = 2
      ($0[MambaOptions.self].kernel, $0[MambaOptions.self].expand, $0[MambaOptions.self].rank) = (1, 1, 2)
    },
    LayerUnderTest("conv", .conv, tolerance: 5e-6) { $0[ConvOptions.self].width = 3 },
    LayerUnderTest("conv", .conv, named: "wide conv", tolerance: 5e-6) { $0[ConvOptions.self].width = 8 },
    LayerUnderTest("conv", .conv, named: "conv of one step", tolerance: 5e-6) {
      $0[ConvOptions.self].width = 1
    },
    LayerUnderTest("conv", .conv, named: "depthwise conv", tolerance: 5e-6) {
      $0[ConvOptions.self].depthwise = true
      $0.embedding = $0.hidden
    },
    LayerUnderTest("mlp", .mlp, tolerance: 5e-6),
    attention("attention", heads: 2, memory: 5, fixture: "attention"),
    attention("attention of three heads to one position", heads: 3, memory: 1),
    attention("attention of one head over a long memory", heads: 1, memory: 70),
    attention("attention with sinusoidal positions", heads: 2, memory: 5, positions: .sinusoidal),
  ]
}
