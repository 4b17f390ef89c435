import Chunks
import Glibc

/// The linear systems of an S4D layer: their parameters, and what a step of time makes of them (`S4DLayer` has the equations).
final class DiagonalSystem {
  /// N / 2
  let pairs: Int
  /// Abar, Bbar and 2 C as the kernels read them, real and imaginary parts. [6, N/2 H]
  let planes: Matrix
  /// Their gradient of each shard, a row each. [shards, 6 N/2 H]
  let gradients: Matrix
  /// D, and its gradient of each shard. [shards, H]
  let skip: ParameterView
  let skipGradients: Matrix

  private let context: ModuleContext
  private let channels: Int
  private let logStep: ParameterView
  private let logReal: ParameterView
  private let imaginary: ParameterView
  private let outputs: ParameterView
  /// A [N/2, H] and dt [H].
  private let eigenvalues: Buffer<Complex>
  private let steps: Buffer<Double>

  init(_ builder: Builder, _ options: S4DOptions, name: String, channels: Int) {
    let pairs = options.states / 2
    let shards = builder.shape.shards
    context = builder.context
    (self.pairs, self.channels) = (pairs, channels)
    logStep = builder.parameter(
      "\(name).log_dt", [channels], .uniformBetween(log(options.leastStep), log(options.greatestStep)),
      rule: .dynamics)
    logReal = builder.parameter(
      "\(name).log_A_real", [channels, pairs], .constant(Float(log(0.5))), rule: .dynamics)
    imaginary = builder.parameter(
      "\(name).A_imag", [channels, pairs],
      .rows(options.initialization.imaginaryParts(states: options.states)),
      rule: .dynamics)
    outputs = builder.parameter("\(name).C", [channels, pairs, 2], .normal(deviation: 0.5.squareRoot()))
    skip = builder.parameter("\(name).D", [channels], .normal(deviation: 1))
    eigenvalues = Buffer(count: pairs * channels)
    steps = Buffer(count: channels)
    planes = builder.floats(6, pairs * channels)
    gradients = builder.floats(shards, 6 * pairs * channels)
    skipGradients = builder.floats(shards, channels)
  }

  /// Call when the weights have changed.
  func prepareWeights() {
    for channel in 0..<channels {
      let step = exp(Double(logStep.weights.base[channel]))
      steps.base[channel] = step
      for n in 0..<pairs {
        let a = Complex(
          re: -exp(Double(logReal.weights[channel][n])), im: Double(imaginary.weights[channel][n]))
        let grown = Complex(re: step * a.re, im: step * a.im).exponential
        let b = Complex(re: grown.re - 1, im: grown.im) / a
        let c = outputs.weights[channel] + 2 * n
        let place = n * channels + channel
        eigenvalues.base[place] = a
        let values = (Float(grown.re), Float(grown.im), Float(b.re), Float(b.im), 2 * c[0], 2 * c[1])
        (planes[0][place], planes[1][place], planes[2][place]) = (values.0, values.1, values.2)
        (planes[3][place], planes[4][place], planes[5][place]) = (values.3, values.4, values.5)
      }
    }
  }

  /// Begins a backward pass.
  func clearGradients() {
    gradients.clear()
    skipGradients.clear()
  }

  /// Adds what `gradients` and `skipGradients` hold to the gradients of the parameters.
  func addGradients() {
    for shard in 0..<gradients.rows { differentiate(shard) }
    let (channels, count) = (channels, pairs * channels)
    add(to: logReal) { channel, n in n * channels + channel }
    add(to: imaginary) { channel, n in count + n * channels + channel }
    add(to: logStep) { _, channel in 2 * count + channel }
    add(to: outputs) { channel, part in (4 + part % 2) * count + part / 2 * channels + channel }
    context.gradients.addShardRows(skipGradients, to: skip.gradient)
  }

  /// Adds to a parameter's gradient what is at the place in a row of `gradients` that `place` tells of its rows and columns.
  private func add(to parameter: ParameterView, place: (_ row: Int, _ column: Int) -> Int) {
    context.gradients.add(to: parameter.gradient) { shard, block, sum in
      for (i, row) in block.rows.enumerated() {
        for (j, column) in block.columns.enumerated() { sum[i][j] += gradients[shard][place(row, column)] }
      }
    }
  }

  /// From a shard's gradient of Abar, Bbar and 2 C to that of log_A_real, A_imag, log_dt (its first row) and C, in its
  /// place. The gradient of a complex z is that of its real part plus i times that of its imaginary part; where w = f(z), it
  /// is conj(f'(z)) times that of w.
  private func differentiate(_ shard: Int) {
    let gradient = Matrix(gradients[shard], rows: 6, columns: pairs * channels)
    for channel in 0..<channels {
      var sum = 0.0
      for n in 0..<pairs {
        let place = n * channels + channel
        let a = eigenvalues.base[place]
        let grown = Complex(planes, 0, place)
        let (b, dB) = (Complex(planes, 2, place), Complex(gradient, 2, place))
        let dz = grown.conjugate * (Complex(gradient, 0, place) + dB / a.conjugate)
        let dA = dz * steps.base[channel] - (b / a).conjugate * dB
        sum += (a.conjugate * dz).re
        gradient[0][place] = Float(dA.re * a.re)
        gradient[1][place] = Float(dA.im)
        gradient[4][place] *= 2
        gradient[5][place] *= 2
      }
      gradient[2][channel] = Float(sum * steps.base[channel])
    }
  }
}

/// A complex number.
private struct Complex {
  var re: Double
  var im: Double

  var conjugate: Complex { Complex(re: re, im: -im) }
  var exponential: Complex { Complex(re: exp(re) * cos(im), im: exp(re) * sin(im)) }

  static func + (a: Complex, b: Complex) -> Complex { Complex(re: a.re + b.re, im: a.im + b.im) }
  static func - (a: Complex, b: Complex) -> Complex { Complex(re: a.re - b.re, im: a.im - b.im) }
  static func * (a: Complex, b: Complex) -> Complex {
    Complex(re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re)
  }
  static func * (a: Complex, b: Double) -> Complex { Complex(re: a.re * b, im: a.im * b) }
  static func / (a: Complex, b: Complex) -> Complex {
    a * b.conjugate * (1 / (b.re * b.re + b.im * b.im))
  }
}

extension Complex {
  /// The number whose real parts are in row `row` of a matrix, its imaginary parts in the next.
  fileprivate init(_ planes: Matrix, _ row: Int, _ column: Int) {
    self.init(re: Double(planes[row][column]), im: Double(planes[row + 1][column]))
  }
}

extension S4DInitialization {
  /// Those of a channel of so many states.
  fileprivate func imaginaryParts(states: Int) -> [Float] {
    let count = Double(states)
    return (0..<states / 2).map { n in
      switch self {
      case .lin: Float(Double.pi * Double(n))
      case .inv: Float(count / Double.pi * (count / Double(2 * n + 1) - 1))
      }
    }
  }
}
