import Core
import Glibc

extension ReferenceLayer {
  /// out_proj(concat over heads of sum_j softmax_j(rot(t, q_t) . rot(j, k_j) / sqrt(D)) v_j), [q, k, v] = qkv x, over the
  /// positions j of the stream from t - M to t; in a bidirectional model over all of them.
  ///
  /// The states are a ring of M keys and values, how many of them are of the stream, and the place of the oldest.
  static let attention = ReferenceLayer(
    states: { $0.bidirectional || $0.initialState == .zero ? 0 : 4 }
  ) { inputs, chunk, states, context in
    let (name, isTwoWay) = ("attention.\(context.index)", context.configuration.bidirectional)
    let (heads, size) = (
      context.configuration[AttentionOptions.self].heads,
      isTwoWay ? 0 : context.configuration[AttentionOptions.self].memory
    )
    func linear(_ part: String, _ x: Vector) -> Vector {
      context["\(name).\(part).weight"] * x + context["\(name).\(part).bias"].vector
    }
    let projected = inputs.map { linear("qkv", $0).gates(3) }
    var (keys, values) = (projected.map { $0[1] }, projected.map { $0[2] })
    var start = 0
    if !isTwoWay && states.isEmpty {
      start = size
      let nothing = [Vector](repeating: .zero(keys[0].count), count: size)
      (keys, values) = (nothing + keys, nothing + values)
    } else if !isTwoWay {
      let (known, next) = (Int(states[2].elements[0].rounded()), Int(states[3].elements[0].rounded()))
      start = size - min(known, size)
      let rings = states[..<2].map { $0.gates(size) }
      let order = (0..<size).map { (min(next, size - 1) + $0) % size }
      keys = order.map { rings[0][$0] } + keys
      values = order.map { rings[1][$0] } + values
    }
    let isRotary = context.configuration[AttentionOptions.self].positions == .rotary
    func turned(_ z: Vector, by position: Int) -> Vector { isRotary ? rotated(z, by: position) : z }
    let outputs = inputs.indices.map { t in
      if chunk.resets[t] { start = size + t }
      let end = isTwoWay ? (t + 1..<inputs.count).first { chunk.resets[$0] } ?? inputs.count : size + t + 1
      let seen = max(start, isTwoWay ? 0 : t)..<end
      let answers = (0..<heads).map { head in
        let q = turned(projected[t][0].gates(heads)[head], by: size + t)
        let scores = seen.map { j in
          (q * turned(keys[j].gates(heads)[head], by: j)).sum / Double(q.count).squareRoot()
        }
        let shares = scores.map { exp($0 - (scores.max() ?? 0)) }
        let sum = shares.reduce(0, +)
        return zip(seen, shares).reduce(Vector.zero(q.count)) { answer, pair in
          answer + values[pair.0].gates(heads)[head].map { $0 * pair.1 / sum }
        }
      }
      return linear("out_proj", Vector(answers.flatMap(\.elements)))
    }
    if !states.isEmpty {
      let next = (min(Int(states[3].elements[0].rounded()), size - 1) + inputs.count) % size
      for (state, all) in zip([0, 1], [keys, values]) {
        let last = Array(all.suffix(size))
        states[state] = Vector((0..<size).flatMap { last[($0 + size - next) % size].elements })
      }
      states[2] = Vector([Double(min(size, size + inputs.count - start))])
      states[3] = Vector([Double(next)])
    }
    return outputs
  }

  /// out_proj(concat over heads of sum over s of softmax_s(q . k_s / sqrt(D)) v_s), q = q x, [k_s, v_s] = kv m_s, the names
  /// beginning with `name`; and the softmax of each head.
  static func crossAttention(
    _ x: Vector, to memory: [Vector], heads: Int, _ name: String,
    linear: (_ name: String, _ x: Vector) -> Vector
  ) -> (answer: Vector, weights: [[Double]]) {
    let queries = linear("\(name).q", x).gates(heads)
    let source = memory.map { linear("\(name).kv", $0).gates(2).map { $0.gates(heads) } }
    let weights = queries.enumerated().map { head, q in
      let scores = source.map { (q * $0[0][head]).sum / Double(q.count).squareRoot() }
      let shares = scores.map { exp($0 - (scores.max() ?? 0)) }
      return shares.map { $0 / shares.reduce(0, +) }
    }
    let answers = queries.enumerated().map { head, q in
      zip(source, weights[head]).reduce(Vector.zero(q.count)) { answer, pair in
        answer + pair.0[1][head].map { $0 * pair.1 }
      }
    }
    return (linear("\(name).out_proj", Vector(answers.flatMap(\.elements))), weights)
  }

  /// Each pair (j, j + D / 2) turned by position 10000^(-2j/D).
  private static func rotated(_ z: Vector, by position: Int) -> Vector {
    let halves = z.gates(2)
    let angles = Vector(
      (0..<z.count / 2).map { Double(position) * pow(10_000, -2 * Double($0) / Double(z.count)) })
    let (cosines, sines) = (angles.map { cos($0) }, angles.map { sin($0) })
    let first = halves[0] * cosines + halves[1] * sines.map { -$0 }
    let second = halves[0] * sines + halves[1] * cosines
    return Vector(first.elements + second.elements)
  }
}
