import Core
import Glibc

func gelu(_ x: Vector) -> Vector { x.map { $0 * (1 + erf($0 / 2.0.squareRoot())) / 2 } }

extension ReferenceLayer {
  /// A layer that goes through a chunk in both directions where the model is bidirectional.
  static func inBothDirections(
    states: @escaping @Sendable (ModelConfiguration) -> Int,
    run:
      @escaping @Sendable (
        _ inputs: [Vector], _ chunk: LaneChunk, _ states: inout [Vector], _ context: Context
      ) ->
      [Vector]
  ) -> ReferenceLayer {
    ReferenceLayer(states: states) { inputs, chunk, state, context in
      let forward = run(inputs, chunk, &state, context)
      guard context.configuration.bidirectional else { return forward }
      var (other, reverse) = (state, context)
      reverse.isReverse = true
      let outputs = Array(run(inputs.reversed(), chunk.reversed, &other, reverse).reversed())
      return zip(forward, outputs).map { Vector($0.elements + $1.elements) }
    }
  }

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

  /// Mamba by the equations of `MambaLayer`; its states are a window of K - 1 inputs, if any, and h [N, E].
  static let mamba = inBothDirections(
    states: { $0[MambaOptions.self].kernel > 1 ? 2 : 1 }
  ) { inputs, chunk, states, context in
    let name = "mamba.\(context.index)" + (context.isReverse ? ".reverse" : "")
    func parameter(_ suffix: String) -> ReferenceParameter { context["\(name).\(suffix)"] }
    let (taps, decay, skip) = (parameter("conv_weight"), parameter("A_log"), parameter("D").vector)
    let (channels, count) = (decay.rows, decay.columns)
    let before = taps.columns - 1
    var window = before > 0 ? states[0].gates(before) : []
    var h = states[states.count - 1].gates(count)
    let outputs = inputs.indices.map { t in
      if chunk.resets[t] {
        window = window.map { .zero($0.count) }
        h = h.map { .zero($0.count) }
      }
      let mixed = (parameter("in_proj.weight") * inputs[t]).gates(2)
      window.append(mixed[0])
      var v = parameter("conv_bias").vector
      for j in 0...before {
        v = v + Vector((0..<channels).map { taps.row($0).elements[j] }) * window[j]
      }
      window.removeFirst()
      v = v * sigmoid(v)
      let selection = (parameter("x_proj.weight") * v).elements
      let rank = selection.count - 2 * count
      let logits =
        parameter("dt_proj.weight") * Vector(Array(selection[..<rank])) + parameter("dt_proj.bias").vector
      let step = logits.map { log1p(exp($0)) }
      var y = skip * v
      for n in 0..<count {
        let a = Vector((0..<channels).map { -exp(decay.row($0).elements[n]) })
        h[n] = (step * a).map { exp($0) } * h[n] + step.map { $0 * selection[rank + n] } * v
        y = y + h[n].map { $0 * selection[rank + count + n] }
      }
      return parameter("out_proj.weight") * (y * mixed[1] * sigmoid(mixed[1]))
    }
    if before > 0 { states[0] = Vector(window.flatMap(\.elements)) }
    states[states.count - 1] = Vector(h.flatMap(\.elements))
    return outputs
  }

  /// S4D by the equations of `S4DLayer`; its state is h [2, N/2, C].
  static let s4d = inBothDirections(states: { _ in 1 }) { inputs, chunk, states, context in
    let name = "s4d.\(context.index)" + (context.isReverse ? ".reverse" : "")
    func parameter(_ suffix: String) -> ReferenceParameter { context["\(name).\(suffix)"] }
    let (real, imaginary) = (parameter("log_A_real"), parameter("A_imag"))
    let (outputs, skip) = (parameter("C"), parameter("D").vector.elements)
    let (channels, pairs) = (real.rows, real.columns)
    var inputs = inputs
    if inputs[0].count != channels {
      inputs = inputs.map { parameter("in.weight") * $0 + parameter("in.bias").vector }
    }
    var h = states[0].elements
    let values = inputs.indices.map { t in
      if chunk.resets[t] { h = h.map { _ in 0 } }
      let y = (0..<channels).map { c in
        let step = exp(parameter("log_dt").vector.elements[c])
        var y = skip[c] * inputs[t].elements[c]
        for n in 0..<pairs {
          let (re, im) = (-exp(real.row(c).elements[n]), imaginary.row(c).elements[n])
          let growth = exp(step * re)
          let (a, b) = (growth * cos(step * im), growth * sin(step * im))
          // (exp(dt A) - 1) / A
          let size = re * re + im * im
          let (p, q) = (((a - 1) * re + b * im) / size, (b * re - (a - 1) * im) / size)
          let (i, j) = (n * channels + c, (pairs + n) * channels + c)
          let x = inputs[t].elements[c]
          (h[i], h[j]) = (a * h[i] - b * h[j] + p * x, a * h[j] + b * h[i] + q * x)
          y += 2 * (outputs.row(c).elements[2 * n] * h[i] - outputs.row(c).elements[2 * n + 1] * h[j])
        }
        return y
      }
      return Vector(y)
    }
    states[0] = Vector(h)
    return values
  }

  /// minGRU: h = (1 - s) h + s c, s = sigmoid(z)
  static let minGRU = minimal("mingru") { sums, configuration in
    (sigmoid(sums[0]), sums[1], configuration[MinGRUOptions.self].candidate)
  }

  /// minLSTM: the same, s = sigmoid(i) / (sigmoid(f) + sigmoid(i))
  static let minLSTM = minimal("minlstm") { sums, configuration in
    let (f, i) = (sigmoid(sums[0]), sigmoid(sums[1]))
    return (i / (f + i), sums[2], configuration[MinLSTMOptions.self].candidate)
  }

  /// `gates` makes the share and the candidate's sum of the sums.
  private static func minimal(
    _ kind: String,
    gates:
      @escaping @Sendable (_ sums: [Vector], ModelConfiguration) -> (share: Vector, c: Vector, Candidate)
  ) -> ReferenceLayer {
    inBothDirections(states: { _ in 1 }) { inputs, chunk, states, context in
      let name = "\(kind).\(context.index)" + (context.isReverse ? ".reverse" : "")
      let (weight, bias) = (context["\(name).linear.weight"], context["\(name).linear.bias"])
      return inputs.indices.map { t in
        if chunk.resets[t] { states[0] = context.initialState(name, states[0].count, chunk.initial[t]) }
        let sums = weight * inputs[t] + bias.vector
        let (share, c, candidate) = gates(
          sums.gates(bias.elements.count / states[0].count), context.configuration)
        let value = candidate == .linear ? c : c.map { $0 >= 0 ? $0 + 0.5 : 1 / (1 + exp(-$0)) }
        states[0] = (1 - share) * states[0] + share * value
        return states[0]
      }
    }
  }

  /// The linear recurrent unit: s = lambda s + gamma B x, y = Re(C s) + D x; its state is Re s, then -Im s.
  static let lru = inBothDirections(states: { _ in 1 }) { inputs, chunk, states, context in
    let name = "lru.\(context.index)" + (context.isReverse ? ".reverse" : "")
    func parameter(_ suffix: String) -> ReferenceParameter { context["\(name).\(suffix)"] }
    let radius = parameter("nu_log").vector.map { exp(-exp($0)) }
    let phase = parameter("theta_log").vector.map { exp($0) }
    let (re, im) = (radius * phase.map { cos($0) }, radius * phase.map { sin($0) })
    let gamma = parameter("gamma_log").vector.map { exp($0) }
    let isAsWide = inputs[0].count == context.configuration.hidden
    return inputs.indices.map { t in
      if chunk.resets[t] { states[0] = context.initialState(name, states[0].count, chunk.initial[t]) }
      let (x, before) = (inputs[t], states[0].gates(2))
      let (p, q) = (before[0], -1 * before[1])
      let s = re * p + -1 * (im * q) + gamma * (parameter("B_re") * x)
      let r = re * q + im * p + gamma * (parameter("B_im") * x)
      states[0] = Vector(s.elements + (-1 * r).elements)
      let y = parameter("C_re") * s + -1 * (parameter("C_im") * r)
      return isAsWide ? y + parameter("D").vector * x : y
    }
  }

  /// gelu(W x + b)
  static let mlp = ReferenceLayer(states: { _ in 0 }) { inputs, _, _, context in
    let (weight, bias) = (context["mlp.\(context.index).weight"], context["mlp.\(context.index).bias"])
    return inputs.map { gelu(weight * $0 + bias.vector) }
  }
}

extension ReferenceLayer.Context {
  /// The first state of a stream in a layer that scans.
  fileprivate func initialState(_ layer: String, _ width: Int, _ conditions: Vector) -> Vector {
    if conditions.count > 0 {
      return self["\(layer).initial.weight"] * conditions + self["\(layer).initial.bias"].vector
    }
    return configuration.initialState == .learnt ? self["\(layer).initial"].vector : .zero(width)
  }
}
