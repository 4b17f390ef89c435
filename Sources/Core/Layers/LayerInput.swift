import Chunks
import Preconditions

/// What the layers of a stack read: the chunk's tokens by way of an embedding, or a signal; the first of a decoder that
/// attends before each step, also the source.
enum LayerInput {
  case tokens(TokenEmbedding)
  case signal(Signal)
  case attentive(Signal, EncodedSource)

  /// The parameter of an embedding, which whoever uses it declares.
  struct TokenEmbedding {
    let name: String
    let count: Int
    let width: Int
    let initializer: Initializer

    func declare(_ builder: Builder) -> ParameterView {
      builder.outside { builder.parameter("\(name).weight", [count, width], initializer) }
    }
  }

  /// The columns that a layer reads.
  var width: Int {
    switch self {
    case .tokens(let embedding): embedding.width
    case .signal(let signal): signal.value.columns
    case .attentive(let signal, let source): signal.value.columns + source.memory.value.columns
    }
  }

  /// For layers that project their input first: an embedding is projected token by token.
  func projection(_ builder: Builder, weight: ParameterView) -> any InputProjection {
    switch self {
    case .tokens(let embedding):
      TokenProjection(builder, weight: weight, embedding: embedding.declare(builder))
    case .signal(let signal): SignalProjection(builder, weight: weight, reading: signal)
    case .attentive(let signal, let source):
      AttentiveProjection(builder, weight: weight, reading: signal, source)
    }
  }

  /// For all others: a module of its own looks tokens up.
  func signal(_ builder: Builder) -> Signal {
    switch self {
    case .tokens(let embedding):
      Embedding(builder, name: embedding.name, weight: embedding.declare(builder)).output
    case .signal(let signal): signal
    case .attentive: preconditionFailure("only recurrent layers attend before each step")
    }
  }
}
