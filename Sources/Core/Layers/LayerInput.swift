import Chunks

/// What the layers of a stack read: the chunk's tokens by way of an embedding, or a signal.
enum LayerInput {
  case tokens(TokenEmbedding)
  case signal(Signal)

  /// The parameter of an embedding, which whoever uses it declares.
  struct TokenEmbedding {
    let name: String
    let count: Int
    let width: Int
    let initializer: Initializer

    func declare(_ builder: Builder) -> ParameterView {
      builder.parameter("\(name).weight", [count, width], initializer)
    }
  }

  /// The columns that a layer reads.
  var width: Int {
    switch self {
    case .tokens(let embedding): embedding.width
    case .signal(let signal): signal.value.columns
    }
  }

  /// For layers that project their input first: an embedding is projected token by token.
  func projection(_ builder: Builder, weight: ParameterView) -> any InputProjection {
    switch self {
    case .tokens(let embedding):
      TokenProjection(builder, weight: weight, embedding: embedding.declare(builder))
    case .signal(let signal): SignalProjection(builder, weight: weight, reading: signal)
    }
  }

  /// For all others: a module of its own looks tokens up.
  func signal(_ builder: Builder) -> Signal {
    switch self {
    case .tokens(let embedding):
      Embedding(builder, name: embedding.name, weight: embedding.declare(builder)).output
    case .signal(let signal): signal
    }
  }
}
