import Core
import Glibc

func gelu(_ x: Vector) -> Vector { x.map { $0 * (1 + erf($0 / 2.0.squareRoot())) / 2 } }

extension ReferenceLayer {
  /// gelu(bias + sum over j of W_j x_{t-K+1+j}), x zero before the stream.
  static let conv = ReferenceLayer(
    states: { $0[ConvOptions.self].width > 1 ? 1 : 0 }
  ) { inputs, chunk, states, context in
    let options = context.configuration[ConvOptions.self]
    let (weight, bias) = (context["conv.\(context.index).weight"], context["conv.\(context.index).bias"])
    let (before, width) = (options.width - 1, options.width)
    var window = before > 0 ? states[0].gates(before) : []
    let outputs = inputs.indices.map { t in
      if chunk.resets[t] { window = window.map { .zero($0.count) } }
      window.append(inputs[t])
      let sum = bias.vector.elements.indices.map { output in
        let row = weight.row(output).elements
        let channels = options.depthwise ? output..<output + 1 : 0..<inputs[t].count
        var sum = bias.elements[output]
        for (place, channel) in channels.enumerated() {
          for j in 0..<width { sum += row[place * width + j] * window[j].elements[channel] }
        }
        return sum
      }
      window.removeFirst()
      return gelu(Vector(sum))
    }
    if before > 0 { states[0] = Vector(window.flatMap(\.elements)) }
    return outputs
  }

  /// gelu(W x + b)
  static let mlp = ReferenceLayer(states: { _ in 0 }) { inputs, _, _, context in
    let (weight, bias) = (context["mlp.\(context.index).weight"], context["mlp.\(context.index).bias"])
    return inputs.map { gelu(weight * $0 + bias.vector) }
  }
}
