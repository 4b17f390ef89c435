import CKernels
import Chunks
import Glibc
import Settings

/// The settings of `lru` layers.
package struct LRUOptions: LayerOptions {
  /// N, the complex states.
  package var states = 256
  /// The bounds of |lambda| before training.
  package var leastRadius = 0.0
  package var greatestRadius = 1.0
  /// The greatest phase of lambda before training.
  package var greatestPhase = 6.28

  package init() {}

  package static let settings: [Setting<LRUOptions>] = [
    Setting("states", \.states, .within(1, 65_536), "Complex states of an lru layer"),
    Setting(
      "r_min", \.leastRadius, .within(0, 0.999999),
      "Least size of an lru layer's eigenvalues at the start; near 1 it remembers long"),
    Setting("r_max", \.greatestRadius, .above(0, to: 1), "Greatest size of them at the start"),
    Setting(
      "max_phase", \.greatestPhase, .above(0, to: 6.2832), "Greatest phase of them at the start, in radians"),
  ]
}

/// The linear recurrent unit (Orvieto et al. 2023, arXiv 2303.06349), a complex diagonal linear recurrence:
///
///     lambda = exp(-exp(nu_log) + i exp(theta_log))     gamma = exp(gamma_log)
///     s_t = lambda s_{t-1} + gamma (B x_t)     y_t = Re(C s_t) + D x_t
///
/// with nu_log, theta_log, gamma_log [N]; B_re, B_im [N, C]; C_re, C_im [H, N]; D [H], which is only there where the layer is as
/// wide as what it reads. The products are real and over all steps at once: the state is kept as the planes Re s and -Im s, so that
/// none needs a sign.
final class LRULayer: Module {
  /// y. [T B, H]
  let output: Signal

  private let context: ModuleContext
  private let direction: Direction
  private let input: Signal
  private let sink: Sink?
  private let eigenvalues: Eigenvalues
  /// Re and Im of B and C.
  private let b: [ParameterView]
  private let c: [ParameterView]
  private let skip: ParameterView?
  private let s: StateSequence
  /// Of the states, then of B x. [T B, 2 N]
  private let gradients: Matrix

  init(
    _ builder: Builder, _ configuration: ModelConfiguration, name: String, reading input: Signal,
    direction: Direction
  ) {
    let options = configuration[LRUOptions.self]
    let (width, states, outputs) = (input.value.columns, options.states, configuration.hidden)
    context = builder.context
    (self.direction, self.input) = (direction, input)
    eigenvalues = Eigenvalues(builder, options, name: name)
    func planes(_ letter: String, _ shape: [Int], variance: Double) -> [ParameterView] {
      ["re", "im"].map {
        builder.parameter("\(name).\(letter)_\($0)", shape, .normal(deviation: variance.squareRoot()))
      }
    }
    b = planes("B", [states, width], variance: 1 / Double(2 * width))
    c = planes("C", [outputs, states], variance: 1 / Double(states))
    skip = width == outputs ? builder.parameter("\(name).D", [outputs], .normal(deviation: 1)) : nil
    s = StateSequence(
      builder, configuration, scan: name, letter: "s", width: 2 * states, direction: direction)
    sink = builder.read(input)
    context.products.reserve(rows: context.shape.rowsPerShard, outputs: states, inputs: width)
    context.products.reserve(rows: context.shape.rowsPerShard, outputs: outputs, inputs: states)
    gradients = builder.floats(builder.shape.rows, 2 * states)
    output = builder.signal(name, columns: outputs)
    builder.add(self)
  }

  func prepareWeights() { eigenvalues.prepare() }

  func forward(_ chunk: Chunk) {
    let (x, states) = (input.value.prefix(chunk.rows), s.output.prefix(chunk.rows))
    s.enter(chunk)
    for index in 0..<2 { context.products.forward(x, b[index].weights, into: plane(index, of: states)) }
    context.meter.measure(.scans) {
      s.forward(chunk) { tile in
        for k in 0..<chunk.steps {
          let (t, lanes) = (direction.time(ofStep: k, chunk), tile.columns)
          eigenvalues.forward(previous: s.before(t, chunk, lanes: lanes), s.after(t).rows(lanes))
        }
      }
    }
    s.leave(chunk)
    let y = output.value.prefix(chunk.rows)
    if let skip { st_scale_columns(y.rows, y.columns, skip.weights.base, x.base, false, y.base) }
    for index in 0..<2 {
      context.products.forward(
        plane(index, of: states), c[index].weights, into: y, accumulate: index > 0 || skip != nil)
    }
  }

  func backward(_ chunk: Chunk) {
    let (x, states) = (input.value.prefix(chunk.rows), s.output.prefix(chunk.rows))
    let (dy, gradients) = (output.gradient.prefix(chunk.rows), gradients.prefix(chunk.rows))
    for index in 0..<2 {
      context.gradients.addProduct(dy, plane(index, of: states), steps: chunk.steps, to: c[index].gradient)
      context.products.inputGradient(dy, c[index].weights, into: plane(index, of: gradients))
    }
    context.meter.measure(.scans) { scanBackward(chunk) }
    s.finishGradients(chunk)
    eigenvalues.addGradients(context)
    for index in 0..<2 {
      context.gradients.addProduct(plane(index, of: gradients), x, steps: chunk.steps, to: b[index].gradient)
    }
    if let skip { context.gradients.addColumnProducts(dy, x, steps: chunk.steps, to: skip.gradient) }
    guard let sink else { return }
    let dx = sink.gradient.prefix(chunk.rows)
    if let skip { st_scale_columns(dy.rows, dy.columns, skip.weights.base, dy.base, sink.adds, dx.base) }
    for index in 0..<2 {
      context.products.inputGradient(
        plane(index, of: gradients), b[index].weights, into: dx,
        accumulate: sink.adds || skip != nil || index > 0)
    }
  }

  private func scanBackward(_ chunk: Chunk) {
    eigenvalues.clearSums()
    s.backward { tile in
      let lanes = tile.columns
      for k in (0..<chunk.steps).reversed() {
        let t = direction.time(ofStep: k, chunk)
        eigenvalues.backward(
          step: k, previous: s.before(t, chunk, lanes: lanes), s.after(t).rows(lanes),
          gradients.step(t, of: chunk.lanes).rows(lanes), stateGradient: s.gradient.rows(lanes),
          shards: context.shape.shards(ofLanes: lanes))
        s.cutGradient(at: t, chunk, lanes: lanes)
      }
    }
  }

  /// A half of [., 2 N].
  private func plane(_ index: Int, of matrix: Matrix) -> Matrix {
    let states = matrix.columns / 2
    return matrix.columns(index * states..<(index + 1) * states)
  }
}

extension LRULayer: ReversibleLayer {
  typealias Options = LRUOptions
  static let name = "lru"
  static let obstacleToTimeBlocks: String? = nil
  static let isLinear = true

  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction
  ) -> Signal {
    LRULayer(
      builder, configuration, name: direction.name("lru.\(index)"), reading: input.signal(builder),
      direction: direction
    ).output
  }

  static func check(_ configuration: ModelConfiguration) throws {
    let options = configuration[LRUOptions.self]
    guard options.leastRadius <= options.greatestRadius else {
      throw ConfigurationError(
        "model.lru.r_min \(options.leastRadius) is above model.lru.r_max \(options.greatestRadius); expected at most that"
      )
    }
  }
}

/// The eigenvalues of a linear recurrent unit, and the scales of its inputs.
private final class Eigenvalues {
  /// Steps whose gradients are summed in float32 before they are added to a sum in Double.
  private static let block = 16

  private let nu: ParameterView
  private let theta: ParameterView
  private let gamma: ParameterView
  /// Re lambda, Im lambda and gamma. [3, N]
  private let system: Matrix
  /// The sums of the gradients of these, with log gamma for gamma, of each shard over a block of steps. [shards, 3 N]
  private let sums: Matrix
  /// Over all steps.
  private let totals: Buffer<Double>

  init(_ builder: Builder, _ options: LRUOptions, name: String) {
    let (low, high) = (options.leastRadius, options.greatestRadius)
    func parameter(_ parameter: String, _ initializer: Initializer) -> ParameterView {
      builder.parameter("\(name).\(parameter)", [options.states], initializer, rule: .dynamics)
    }
    nu = parameter("nu_log", .uniformBetween(low * low, high * high, .logarithmOfDecay))
    theta = parameter("theta_log", .uniformBetween(0, options.greatestPhase, .logarithm))
    // sqrt(1 - |lambda|^2)
    gamma = parameter(
      "gamma_log",
      .uniformBetween(low * low, high * high, .logarithmOfComplement, numbers: "\(name).nu_log"))
    system = builder.floats(3, options.states)
    sums = builder.floats(builder.shape.shards, 3 * options.states)
    totals = Buffer(count: builder.shape.shards * 3 * options.states)
  }

  func prepare() {
    for n in 0..<system.columns {
      let radius = exp(-exp(Double(nu.weights.base[n])))
      let phase = exp(Double(theta.weights.base[n]))
      system[0][n] = Float(radius * cos(phase))
      system[1][n] = Float(radius * sin(phase))
      system[2][n] = Float(exp(Double(gamma.weights.base[n])))
    }
  }

  /// A time step: from B x to the state, in place. [B, 2 N]
  func forward(previous: Matrix, _ s: Matrix) {
    st_lru_forward(s.rows, system.columns, system.base, previous.base, s.base)
  }

  func clearSums() {
    sums.clear()
    totals.clear()
  }

  /// Step k of some shards, in reverse: from the gradient of the state to that of B x, in place. [lanes, 2 N]
  func backward(
    step k: Int, previous: Matrix, _ s: Matrix, _ ds: Matrix, stateGradient: Matrix, shards: Range<Int>
  ) {
    let lanesPerShard = s.rows / shards.count
    for (index, shard) in shards.enumerated() {
      let lane = index * lanesPerShard
      st_lru_backward(
        lanesPerShard, system.columns, system.base, previous[lane], s[lane], ds[lane], stateGradient[lane],
        sums[shard])
    }
    guard k % Self.block == 0 else { return }
    let (sums, first) = (sums.rows(shards), shards.lowerBound * sums.columns)
    for i in 0..<sums.count { totals.base[first + i] += Double(sums.base[i]) }
    sums.clear()
  }

  /// Adds to the gradients of the parameters.
  func addGradients(_ context: ModuleContext) {
    // With g = d lambda_re + i d lambda_im, d nu_log = Re(conj(g) lambda) (-exp(nu_log)) and
    // d theta_log = Re(conj(g) i lambda) exp(theta_log).
    context.gradients.add(to: nu.gradient) { shard, block, sum in
      for n in block.columns {
        let (re, im) = (total(shard, 0, n), total(shard, 1, n))
        let slope = re * Double(system[0][n]) + im * Double(system[1][n])
        sum.base[n - block.columns.lowerBound] -= Float(slope * exp(Double(nu.weights.base[n])))
      }
    }
    context.gradients.add(to: theta.gradient) { shard, block, sum in
      for n in block.columns {
        let (re, im) = (total(shard, 0, n), total(shard, 1, n))
        let slope = im * Double(system[0][n]) - re * Double(system[1][n])
        sum.base[n - block.columns.lowerBound] += Float(slope * exp(Double(theta.weights.base[n])))
      }
    }
    context.gradients.add(to: gamma.gradient) { shard, block, sum in
      for n in block.columns { sum.base[n - block.columns.lowerBound] += Float(total(shard, 2, n)) }
    }
  }

  private func total(_ shard: Int, _ part: Int, _ n: Int) -> Double {
    totals.base[(shard * 3 + part) * system.columns + n]
  }
}
