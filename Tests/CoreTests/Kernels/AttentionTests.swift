import CKernels
import Glibc
import Testing

@Suite struct AttentionTests {
  /// What queries see of the keys.
  enum View: CaseIterable {
    /// A window before each query, cut in the middle of the queries.
    case before
    /// All keys.
    case all
    /// One key, or none.
    case few
  }

  /// A head's queries, keys and values, what each query sees, and what the kernels make of them.
  private struct Head {
    let (queries, keys, width): (Int, Int, Int)
    let stride: Int
    var q, k, v, dy: [Float]
    let seen: [Range<Int>]
    var y: [Float]
    var (dq, dk, dv): ([Float], [Float], [Float])

    init(_ queries: Int, _ keys: Int, _ width: Int, _ view: View, scale: Float = 1) {
      (self.queries, self.keys, self.width, stride) = (queries, keys, width, width + 3)
      q = numbers(queries * width, seed: 1).map { scale * $0 }
      k = numbers(keys * width, seed: 2).map { scale * $0 }
      v = numbers(keys * width, seed: 3)
      dy = numbers(queries * stride, seed: 4)
      y = [Float](repeating: 9, count: queries * stride)
      dq = [Float](repeating: 9, count: queries * width)
      (dk, dv) = (numbers(keys * width, seed: 5), numbers(keys * width, seed: 6))
      seen = (0..<queries).map { u in
        switch view {
        case .before:
          let place = max(0, keys - queries) + u
          return max(0, place - keys / 2, u > queries / 2 ? place - u + queries / 2 : 0)..<place + 1
        case .all: return 0..<keys
        case .few: return u % keys..<u % keys + (u % 3 == 0 ? 0 : 1)
        }
      }
    }

    /// Runs both passes; gradients of keys and values from `wanted` on.
    mutating func run(_ set: InstructionSet, wanted: Int = 0) {
      let kernels = set.kernels.pointee
      let scratch = AlignedFloats(kernels.attention_scratch(width))
      var largest = [Float](repeating: .nan, count: queries), inverse = largest
      let (first, last) = (seen.map { Int32($0.lowerBound) }, seen.map { Int32($0.upperBound) - 1 })
      kernels.attention_forward(
        queries, width, q, k, v, first, last, &y, stride, &largest, &inverse, scratch.start)
      kernels.attention_backward(
        queries, width, q, k, v, first, last, y, dy, stride, largest, inverse, wanted, &dq, &dk, &dv,
        scratch.start)
    }

    /// Row `index` of an array.
    func row(_ index: Int, of array: [Float], stride: Int? = nil) -> Vector {
      let first = index * (stride ?? width)
      return Vector(array[first..<first + width])
    }

    /// The outputs and the gradients by the equations.
    func expected(wanted: Int) -> (y: [Vector], dq: [Vector], dk: [Vector], dv: [Vector]) {
      var y: [Vector] = [], dq: [Vector] = []
      var dk = (0..<keys).map { row($0, of: self.dk) }, dv = (0..<keys).map { row($0, of: self.dv) }
      for u in 0..<queries {
        let (query, gradient) = (row(u, of: q), row(u, of: dy, stride: stride))
        let scores = seen[u].map { (query * row($0, of: k)).sum }
        let shares = scores.map { exp($0 - (scores.max() ?? 0)) }
        let all = shares.reduce(0, +)
        let slopes = seen[u].map { (gradient * row($0, of: v)).sum }
        let mean = zip(shares, slopes).reduce(0) { $0 + $1.0 * $1.1 } / all
        var (answer, moved) = (Vector.zero(width), Vector.zero(width))
        for (index, key) in seen[u].enumerated() {
          let share = shares[index] / all
          let slope = share * (slopes[index] - mean)
          answer = answer + row(key, of: v).map { $0 * share }
          moved = moved + row(key, of: k).map { $0 * slope }
          guard key >= wanted else { continue }
          dk[key] = dk[key] + query.map { $0 * slope }
          dv[key] = dv[key] + gradient.map { $0 * share }
        }
        y.append(answer)
        dq.append(moved)
      }
      return (y, dq, dk, dv)
    }
  }

  @Test(
    arguments: InstructionSet.all,
    [(1, 1, 2), (1, 7, 2), (5, 200, 66), (33, 90, 10), (64, 200, 64), (70, 40, 48), (100, 100, 80)])
  func `outputs and gradients are those of the equations`(
    _ set: InstructionSet, _ size: (queries: Int, keys: Int, width: Int)
  ) {
    for view in View.allCases where view != .before || size.keys >= size.queries {
      for wanted in [0, size.keys * 2 / 3] {
        var head = Head(size.queries, size.keys, size.width, view)
        let expected = head.expected(wanted: wanted)
        head.run(set, wanted: wanted)
        for (what, found, stride, rows) in [
          ("y", head.y, head.stride, expected.y), ("dq", head.dq, head.width, expected.dq),
          ("dk", head.dk, head.width, expected.dk), ("dv", head.dv, head.width, expected.dv),
        ] {
          for (index, row) in rows.enumerated() {
            expectAgreement(
              found[index * stride..<index * stride + head.width], row.elements, tolerance: 1e-5, scale: 1,
              "\(what)[\(index)] of \(view), gradients from \(wanted)")
          }
        }
        // Between rows nothing is written.
        #expect((0..<head.queries).allSatisfy { head.y[$0 * head.stride + head.width] == 9 })
      }
    }
  }

  @Test(arguments: InstructionSet.all, [1e4, Float.leastNormalMagnitude / 8])
  func `scores of any size give finite outputs and gradients`(_ set: InstructionSet, _ scale: Float) {
    var head = Head(40, 150, 16, .before, scale: scale)
    head.run(set)
    for numbers in [head.y, head.dq, head.dk, head.dv] {
      #expect(numbers.allSatisfy { $0.isFinite })
    }
    // A share is no more than one, and they are one together.
    #expect(head.y.enumerated().allSatisfy { $0 % head.stride >= head.width || abs($1) <= 1.00001 })
  }

  @Test(arguments: InstructionSet.all, [Float.nan, .infinity])
  func `what is not finite is noticed by the queries that see it, keys by no others`(
    _ set: InstructionSet, _ value: Float
  ) {
    for isKey in [true, false] {
      var head = Head(40, 150, 16, .before)
      let place = 120
      if isKey { head.k[place * 16] = value } else { head.v[place * 16] = value }
      head.run(set)
      for u in 0..<40 {
        let row = head.row(u, of: head.y, stride: head.stride).elements
        let isNoticed = row.contains { !$0.isFinite }
        if head.seen[u].contains(place) {
          // An infinite key gets all of the weight or none.
          #expect(isNoticed || isKey && value == .infinity && head.q[u * 16] < 0)
        } else if isKey {
          #expect(!isNoticed)
        }
      }
    }
  }

  @Test(arguments: InstructionSet.all, [2, 6, 32, 70])
  func `heads are gathered, turned and put back`(_ set: InstructionSet, _ width: Int) {
    let (rows, stride, half) = (5, width + 4, width / 2)
    let x = numbers(rows * stride, seed: 1)
    let angles = (0..<rows * half).map { Double($0) * 0.37 }
    let turns = (0..<rows).flatMap { r in
      let own = angles[r * half..<(r + 1) * half]
      return own.map { Float(cos($0)) } + own.map { Float(sin($0)) }
    }
    var head = [Float](repeating: 9, count: rows * width)
    var back = [Float](repeating: 9, count: rows * stride)
    set.kernels.pointee.gather_head(rows, width, x, stride, turns, 0.5, &head)
    set.kernels.pointee.scatter_head(rows, width, head, turns, 2, &back, stride)
    for r in 0..<rows {
      for j in 0..<half {
        let (a, b) = (Double(x[r * stride + j]), Double(x[r * stride + half + j]))
        let angle = angles[r * half + j]
        #expect(abs(Double(head[r * width + j]) - (a * cos(angle) - b * sin(angle)) / 2) < 1e-6)
        #expect(abs(Double(head[r * width + half + j]) - (a * sin(angle) + b * cos(angle)) / 2) < 1e-6)
      }
      expectAgreement(
        back[r * stride..<r * stride + width], x[r * stride..<r * stride + width].map(Double.init),
        tolerance: 1e-6, "row \(r)")
      #expect(back[r * stride + width] == 9)
    }
    set.kernels.pointee.gather_head(rows, width, x, stride, nil, 1, &head)
    set.kernels.pointee.scatter_head(rows, width, head, nil, 1, &back, stride)
    for r in 0..<rows {
      #expect(bits(back[r * stride..<r * stride + width]) == bits(x[r * stride..<r * stride + width]))
    }
  }
}
