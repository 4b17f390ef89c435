import CKernels
import Glibc
import Testing

/// The cells' equations in double, one unit at a time.
private enum Reference {
  static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
}

@Suite struct RecurrentTests {
  /// Lanes and units: less than a vector, vectors and a rest, and whole vectors only.
  static let sizes = [
    (lanes: 1, hidden: 1), (lanes: 3, hidden: 21), (lanes: 2, hidden: 64), (lanes: 5, hidden: 130),
  ]

  private func isClose(_ a: Float, _ b: Double) -> Bool { abs(Double(a) - b) <= 5e-7 * max(1, abs(b)) }

  @Test(arguments: InstructionSet.all)
  func `tanh is accurate over its whole range and keeps infinities and NaN`(_ set: InstructionSet) {
    let points = (-4000...4000).map { Float($0) * 0.00371 } + numbers(1000, seed: 1).map { $0 * 1e-3 }
    let special: [Float] = [.infinity, -.infinity, .nan, 1e30, -1e30, 0, -0.0, 1e-37]
    let x = points + special, zero = [Float](repeating: -0.0, count: x.count)
    var h = [Float](repeating: 7, count: x.count)
    set.kernels.pointee.rnn_forward(1, x.count, x, nil, zero, false, &h)
    for (x, h) in zip(x, h) where !x.isNaN {
      let expected = tanh(Double(x))
      #expect(abs(Double(h) - expected) <= 3e-7 * abs(expected), "tanh(\(x))")
      #expect(x == 0 || h.sign == x.sign)
    }
    #expect(h[points.count + 2].isNaN)
  }

  @Test(arguments: InstructionSet.all)
  func `the sigmoid is accurate over its whole range and keeps infinities and NaN`(_ set: InstructionSet) {
    let x = (-3400...3400).map { Float($0) * 0.0255 } + [.infinity, 1e30, -.infinity, -1e30, .nan]
    let n = x.count
    let inputs = x + [Float](repeating: 0, count: 3 * n), zero = [Float](repeating: 0, count: 4 * n)
    var gates = zero, c = zero, t = zero, h = zero
    set.kernels.pointee.lstm_forward(1, n, inputs, nil, zero, zero, &gates, &c, &t, &h)
    for (x, gate) in zip(x, gates).dropLast(3) {
      let expected = Reference.sigmoid(Double(x))
      #expect(abs(Double(gate) - expected) <= 4e-7 * expected, "sigmoid(\(x))")
    }
    #expect(gates[n - 3] < 1e-37 && gates[n - 2] < 1e-37)
    #expect(gates[n - 1].isNaN && c[n - 1].isNaN)
  }

  @Test(arguments: InstructionSet.all, sizes)
  func `an LSTM step and its gradient follow the equations`(
    _ set: InstructionSet, _ size: (lanes: Int, hidden: Int)
  ) {
    let (b, h) = size
    let table = numbers(7 * 4 * h, seed: 1).map { $0 * 3 }, r = numbers(b * 4 * h, seed: 2)
    let index = (0..<b).map { Int32($0 * 3 % 7) }
    let before = numbers(b * h, seed: 3), dh = numbers(b * h, seed: 4), dcAfter = numbers(b * h, seed: 5)
    var gates = [Float](repeating: 0, count: b * 4 * h)
    var c = [Float](repeating: 0, count: b * h), t = c, out = c, dc = dcAfter
    set.kernels.pointee.lstm_forward(b, h, table, index, r, before, &gates, &c, &t, &out)
    let activated = gates
    set.kernels.pointee.lstm_backward(b, h, dh, before, t, &gates, &dc)
    for lane in 0..<b {
      for unit in 0..<h {
        func gate(_ n: Int) -> (value: Double, place: Int) {
          let place = lane * 4 * h + n * h + unit
          return (Double(table[Int(index[lane]) * 4 * h + n * h + unit]) + Double(r[place]), place)
        }
        let at = lane * h + unit
        let i = Reference.sigmoid(gate(0).value), f = Reference.sigmoid(gate(1).value)
        let g = tanh(gate(2).value), o = Reference.sigmoid(gate(3).value)
        let cell = f * Double(before[at]) + i * g
        #expect(isClose(activated[gate(0).place], i) && isClose(activated[gate(1).place], f))
        #expect(isClose(activated[gate(2).place], g) && isClose(activated[gate(3).place], o))
        #expect(isClose(c[at], cell) && isClose(t[at], tanh(cell)) && isClose(out[at], o * tanh(cell)))

        let dOut = Double(dh[at])
        let dCell = Double(dcAfter[at]) + dOut * o * (1 - tanh(cell) * tanh(cell))
        #expect(isClose(gates[gate(0).place], dCell * g * i * (1 - i)))
        #expect(isClose(gates[gate(1).place], dCell * Double(before[at]) * f * (1 - f)))
        #expect(isClose(gates[gate(2).place], dCell * i * (1 - g * g)))
        #expect(isClose(gates[gate(3).place], dOut * tanh(cell) * o * (1 - o)))
        #expect(isClose(dc[at], dCell * f))
      }
    }
  }

  @Test(arguments: InstructionSet.all, sizes)
  func `a GRU step and its gradient follow the equations`(
    _ set: InstructionSet, _ size: (lanes: Int, hidden: Int)
  ) {
    let (b, h) = size
    let x = numbers(b * 3 * h, seed: 1).map { $0 * 3 }, r = numbers(b * 3 * h, seed: 2)
    let bias = numbers(h, seed: 3), before = numbers(b * h, seed: 4), dh = numbers(b * h, seed: 5)
    var gates = [Float](repeating: 0, count: b * 3 * h)
    var m = [Float](repeating: 0, count: b * h), out = m, dBefore = numbers(b * h, seed: 6)
    let direct = dBefore
    set.kernels.pointee.gru_forward(b, h, x, nil, r, bias, before, &gates, &m, &out)
    let activated = gates, kept = m
    set.kernels.pointee.gru_backward(b, h, dh, before, &gates, &m, &dBefore)
    for lane in 0..<b {
      for unit in 0..<h {
        func place(_ n: Int) -> Int { lane * 3 * h + n * h + unit }
        let at = lane * h + unit
        let reset = Reference.sigmoid(Double(x[place(0)]) + Double(r[place(0)]))
        let z = Reference.sigmoid(Double(x[place(1)]) + Double(r[place(1)]))
        let recurrent = Double(r[place(2)]) + Double(bias[unit])
        let n = tanh(Double(x[place(2)]) + reset * recurrent)
        #expect(isClose(activated[place(0)], reset) && isClose(activated[place(1)], z))
        #expect(isClose(activated[place(2)], n) && isClose(kept[at], recurrent))
        #expect(isClose(out[at], (1 - z) * n + z * Double(before[at])))

        let dOut = Double(dh[at])
        let dn = dOut * (1 - z) * (1 - n * n)
        #expect(isClose(gates[place(0)], dn * recurrent * reset * (1 - reset)))
        #expect(isClose(gates[place(1)], dOut * (Double(before[at]) - n) * z * (1 - z)))
        #expect(
          isClose(gates[place(2)], dn) && isClose(m[at], dn * reset)
            && isClose(dBefore[at], Double(direct[at]) + dOut * z))
      }
    }
  }

  @Test(arguments: InstructionSet.all, [false, true])
  func `an Elman step and its gradient follow the equations`(_ set: InstructionSet, _ relu: Bool) {
    let (b, h) = (3, 37)
    var x = numbers(b * h, seed: 1), dh = numbers(b * h, seed: 3)
    x[5] = .nan
    dh[7] = .nan
    let r = numbers(b * h, seed: 2)
    var out = [Float](repeating: 0, count: b * h)
    set.kernels.pointee.rnn_forward(b, h, x, nil, r, relu, &out)
    var da = dh
    set.kernels.pointee.rnn_backward(b, h, da, out, relu, &da)
    #expect(out[5].isNaN && da[5].isNaN && da[7].isNaN)
    for i in 0..<b * h where i != 5 && i != 7 {
      let sum = Double(x[i] + r[i])
      let value = relu ? max(sum, 0) : tanh(sum)
      #expect(isClose(out[i], value))
      #expect(isClose(da[i], Double(dh[i]) * (relu ? (sum > 0 ? 1 : 0) : 1 - value * value)))
    }
  }

  @Test(arguments: InstructionSet.all)
  func `a unit's bits do not depend on its place or on the other lanes`(_ set: InstructionSet) {
    let x = numbers(4 * 40, seed: 1), r = numbers(4 * 40, seed: 2), before = numbers(40, seed: 3)
    func step(_ hidden: Int) -> [UInt32] {
      // `hidden` units a lane, as many lanes as that makes of 40 units; unit u has the same inputs always.
      let lanes = 40 / hidden
      func arranged(_ values: [Float]) -> [Float] {
        var result = [Float]()
        for lane in 0..<lanes {
          for gate in 0..<4 {
            let start = gate * 40 + lane * hidden
            result += values[start..<start + hidden]
          }
        }
        return result
      }
      var gates = [Float](repeating: 0, count: 160)
      var c = [Float](repeating: 0, count: 40), t = c, h = c
      set.kernels.pointee.lstm_forward(
        lanes, hidden, arranged(x), nil, arranged(r), before, &gates, &c, &t, &h)
      return bits(h)
    }
    let expected = step(40)
    for hidden in [1, 4, 5, 8, 20] { #expect(step(hidden) == expected) }
  }
}
