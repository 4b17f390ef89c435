import Chunks
import Glibc

/// The linear systems of an S4D layer: their parameters, and what a step of time makes of them (`S4DLayer` has the equations).
final class DiagonalSystem {
  /// N / 2
  let pairs: Int
  /// Abar, Bbar and 2 C as the kernels read them, real and imaginary parts. [6, N/2 H]
  let planes: Matrix
  /// Their gradient, of each shard. [shards, 6 N/2 H]
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
  /// The gradients of those of each shard: of log_dt, log_A_real, A_imag and C, one behind the other.
  private let parts: Matrix

  init(_ builder: Builder, _ options: S4DOptions, name: String, channels: Int) {
    let pairs = options.states / 2
    let shards = builder.shape.shards
    context = builder.context
    (self.pairs, self.channels) = (pairs, channels)
    logStep = builder.parameter(
      "\(name).log_dt", [channels], .uniformBetween(log(options.leastStep), log(options.greatestStep)))
    logReal = builder.parameter("\(name).log_A_real", [channels, pairs], .constant(Float(log(0.5))))
    imaginary = builder.parameter(
      "\(name).A_imag", [channels, pairs],
      .rows(options.initialization.imaginaryParts(states: options.states)))
    outputs = builder.parameter("\(name).C", [channels, pairs, 2], .normal(deviation: 0.5.squareRoot()))
    skip = builder.parameter("\(name).D", [channels], .normal(deviation: 1))
    eigenvalues = Buffer(count: pairs * channels)
    steps = Buffer(count: channels)
    planes = builder.floats(6, pairs * channels)
    gradients = builder.floats(shards, 6 * pairs * channels)
    skipGradients = builder.floats(shards, channels)
    parts = builder.floats(shards, (1 + 4 * pairs) * channels)
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
    let sizes = [channels, channels * pairs, channels * pairs, 2 * channels * pairs]
    var first = 0
    for (parameter, count) in zip([logStep, logReal, imaginary, outputs], sizes) {
      add(parts.columns(first..<first + count), to: parameter)
      first += count
    }
    add(skipGradients, to: skip)
  }

  /// Adds the gradients of all shards, a row each.
  private func add(_ rows: Matrix, to parameter: ParameterView) {
    let columns = parameter.weights.columns
    context.gradients.add(to: parameter.gradient) { shard, block, sum in
      sum.add(block.part(of: Matrix(rows[shard], rows: rows.columns / columns, columns: columns)))
    }
  }

  /// From a shard's gradient of Abar, Bbar and 2 C to those of the parameters. That of a complex z is that of its real part
  /// plus i times that of its imaginary part; for w = f(z) it is conj(f'(z)) times that of w.
  private func differentiate(_ shard: Int) {
    let count = pairs * channels
    let gradient = Matrix(gradients[shard], rows: 6, columns: count)
    let step = parts[shard]
    let (real, imaginary, outputs) = (step + channels, step + channels + count, step + channels + 2 * count)
    for channel in 0..<channels {
      var sum = 0.0
      for n in 0..<pairs {
        let (place, own) = (n * channels + channel, channel * pairs + n)
        let a = eigenvalues.base[place]
        let grown = Complex(planes, 0, place)
        let (b, dB) = (Complex(planes, 2, place), Complex(gradient, 2, place))
        let dz = grown.conjugate * (Complex(gradient, 0, place) + dB / a.conjugate)
        let dA = dz * steps.base[channel] - (b / a).conjugate * dB
        sum += (a.conjugate * dz).re
        real[own] = Float(dA.re * a.re)
        imaginary[own] = Float(dA.im)
        outputs[2 * own] = 2 * gradient[4][place]
        outputs[2 * own + 1] = 2 * gradient[5][place]
      }
      step[channel] = Float(sum * steps.base[channel])
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
