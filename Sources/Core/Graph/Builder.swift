import CKernels
import Chunks
import Preconditions

/// What all modules of a model compute with.
struct ModuleContext {
  /// The shape of the chunks that the module runs over: where it reads a pair's source, that of sources.
  fileprivate(set) var shape: ChunkShape
  /// What lies before and behind what the rank computes.
  let timeline: Timeline
  let products: MatrixProducts
  /// Adds up the gradients of parameters.
  let gradients: GradientSums
  let meter: StepMeter

  /// y = x weight^T + bias. x [M, K], weight [N, K], bias [N], y [M, N].
  func affine(
    _ x: Matrix, _ weight: Matrix, _ bias: UnsafePointer<Float>, into y: Matrix, rows: ProductRows = .steps
  ) {
    st_fill_rows(y.rows, y.columns, bias, y.base, y.stride)
    products.forward(x, weight, into: y, accumulate: true, rows: rows)
  }
}

/// Whose time steps a module runs over.
enum TimeAxis {
  /// Those of the streams; of pairs, their targets.
  case stream
  /// Those of the sources of pairs.
  case source

  /// What the module sees of a chunk.
  func part(of chunk: Chunk) -> Chunk {
    guard self == .source else { return chunk }
    guard let source = chunk.source else { preconditionFailure("the chunk is of pairs") }
    return source
  }
}

/// What a model is built for, besides its configuration.
package struct BuildOptions {
  /// The shape of the chunks.
  var shape: ChunkShape
  /// The tracks that chunks hold.
  var tracks: TrackSet
  /// What the rank computes of chunks; nil for all of them.
  var tiles: [Tile]?
  /// What passes states between ranks that compute other tiles of the same lanes.
  var messages: (any TileMessages)?
  /// The seed of the dropout masks in training; nil for evaluation, which drops nothing.
  var dropoutSeed: UInt64?
  /// Whether a discriminator belongs to the model, where there is one: its parameters do, but only training computes it.
  var discriminates = true
  /// Whether each time step of the streams is a chunk, also of pairs, whose chunks hold whole targets otherwise.
  var goesStepByStep = false

  fileprivate func timeline(_ meter: StepMeter) -> Timeline {
    Timeline(
      tiles: tiles ?? [.whole(0..<shape.lanes, steps: shape.steps)], messages: messages, meter: meter)
  }
}

/// Hands out to modules what they need while a family puts a model together.
///
/// That happens twice. The measuring pass takes no memory; it finds out what there is: parameters and the order in which
/// backward completes them, states, and who reads which signal. The placing pass then gives everything its place.
package final class Builder {
  private(set) var context: ModuleContext
  private(set) var tracks: TrackSet
  let dropoutSeed: UInt64?
  /// Whether a discriminator belongs to the model.
  let discriminates: Bool
  /// Whether each time step of the streams is a chunk.
  let goesStepByStep: Bool
  /// That discriminator, once it is added.
  var discriminator: Discriminator?

  private(set) var modules: [(module: any Module, axis: TimeAxis)] = []
  private(set) var states: [CarriedState] = []
  private(set) var signals: [Signal] = []
  private(set) var declarations: [Blueprint.Declaration] = []
  private(set) var uses: [Blueprint.Use] = []
  /// Of pairs, the signals of the source that modules along the streams read: all that these know of it.
  private(set) var encodings: [Signal] = []
  /// What attends to the source.
  private(set) var sourceAttention: [any SourceAttending] = []
  private(set) var packedCount = 0
  private let plan: Plan?
  private var axis = TimeAxis.stream
  /// What names begin with.
  private var prefix = ""
  private var owned: [AnyObject] = []

  /// What the placing pass knows.
  private struct Plan {
    let blueprint: Blueprint
    /// All signals' gradients.
    let signalGradients: Buffer<Float>
    let scratch: Buffer<Float>
  }

  /// A builder of the measuring pass.
  init(measuring options: BuildOptions) {
    let meter = StepMeter()
    let products = MatrixProducts(
      precision: .float32, bfloat16: .rounded, shape: options.shape, meter: meter, sharing: nil)
    let nothing = ParameterMemory(layout: ParameterLayout(pieces: []), shards: 0)
    context = ModuleContext(
      shape: options.shape, timeline: options.timeline(meter), products: products,
      gradients: GradientSums(nothing, shape: options.shape, products: products, accumulates: false),
      meter: meter)
    (tracks, dropoutSeed, discriminates) = (options.tracks, options.dropoutSeed, options.discriminates)
    goesStepByStep = options.goesStepByStep
    plan = nil
  }

  /// A builder of the placing pass, by a blueprint of the same shape.
  ///
  /// - Parameter accumulates: Whether gradients of several chunks make one update.
  init(
    placing blueprint: Blueprint, _ options: BuildOptions, memory: ParameterMemory, products: MatrixProducts,
    meter: StepMeter, accumulates: Bool
  ) {
    context = ModuleContext(
      shape: options.shape, timeline: options.timeline(meter), products: products,
      gradients: GradientSums(memory, shape: options.shape, products: products, accumulates: accumulates),
      meter: meter)
    (tracks, dropoutSeed, discriminates) = (options.tracks, options.dropoutSeed, options.discriminates)
    goesStepByStep = options.goesStepByStep
    plan = Plan(
      blueprint: blueprint, signalGradients: Buffer(count: blueprint.gradientCount),
      scratch: Buffer(count: blueprint.scratchCount))
  }

  /// The shape of the chunks.
  var shape: ChunkShape { context.shape }

  /// A parameter, named and shaped as PyTorch has it. Modules that ask for the same name share it.
  ///
  /// - Parameter contributions: When the module adds to its gradient. What several modules share is added to in parts.
  func parameter(
    _ name: String, _ shape: [Int], _ initializer: Initializer,
    _ contributions: GradientSums.Contributions = .atOnce, rule: UpdateRule = .ordinary
  ) -> ParameterView {
    let name = qualified(name)
    if let plan {
      let isShared = plan.blueprint.sharedParameters.contains(name)
      return context.gradients.parameter(name, isShared ? .inParts : contributions)
    }
    let parameter = Parameter(name, shape, initializer, rule)
    declarations.append(Blueprint.Declaration(parameter: parameter, module: modules.count))
    let values = Buffer<Float>(count: 0)
    owned.append(values)
    return ParameterView(
      weights: Matrix(
        values.base, rows: parameter.count / parameter.columns, columns: parameter.columns),
      gradient: Gradient(trees: []))
  }

  /// The output of the module that is added next, in memory of its own. [T B, C]
  func signal(_ name: String, columns: Int) -> Signal {
    signal(name, value: floats(shape.rows, columns))
  }

  /// The same for data, of which nobody wants a gradient.
  func data(_ name: String, columns: Int) -> Signal {
    let values = floats(shape.rows, columns)
    signals.append(
      Signal(
        name: name, value: values, gradient: values, index: signals.count, isData: true, axis: axis))
    return signals[signals.count - 1]
  }

  /// The same, in memory of the module's.
  func signal(_ name: String, value: Matrix) -> Signal {
    let name = qualified(name)
    let index = signals.count
    uses.append(.makes(signal: index, module: modules.count))
    let base = plan.map { $0.signalGradients.base + $0.blueprint.gradientOffsets[index] } ?? value.base
    let signal = Signal(
      name: name, value: value, gradient: Matrix(base, rows: value.rows, columns: value.columns),
      index: index, axis: axis)
    signals.append(signal)
    return signal
  }

  /// Registers the module that is added next as a reader; nil where nobody wants the signal's gradient.
  func read(_ signal: Signal) -> Sink? {
    if axis == .stream, signal.axis == .source, !encodings.contains(where: { $0.index == signal.index }) {
      encodings.append(signal)
    }
    guard !signal.isData else { return nil }
    let gradient = signal.gradient
    let earlier = uses.count { if case .reads(signal.index, _) = $0 { true } else { false } }
    uses.append(.reads(signal: signal.index, module: modules.count))
    let readers = plan?.blueprint.readers[signal.index] ?? 0
    let scratch = plan?.scratch.base ?? gradient.base
    return Sink(
      gradient: gradient, adds: earlier + 1 < readers,
      scratch: Matrix(scratch, rows: gradient.rows, columns: gradient.columns))
  }

  /// Lets others know what a module attends to.
  func show(_ attention: any SourceAttending) { sourceAttention.append(attention) }

  /// Has a state carried from chunk to chunk.
  func carry(_ state: CarriedState) {
    var state = state
    (state.name, state.axis) = (qualified(state.name), axis)
    states.append(state)
  }

  /// Memory that lives as long as the model, zeroed. [rows, columns]
  func floats(_ rows: Int, _ columns: Int) -> Matrix {
    let buffer = Buffer<Float>(rows: rows, columns: columns)
    owned.append(buffer)
    return buffer.matrix(rows: rows, columns: columns)
  }

  /// Room for weights that are packed for products of one time step: `outputs` columns of the result, sums over
  /// `inputs`, added to the result with `accumulate`.
  func packed(outputs: Int, inputs: Int, accumulate: Bool) -> MatrixProducts.Packed {
    packedCount += st_packed_size(outputs, inputs)
    return context.products.makePacked(outputs: outputs, inputs: inputs, accumulate: accumulate)
  }

  /// Adds a module behind all others.
  func add(_ module: any Module) { modules.append((module, axis)) }

  /// Has `body` add modules that run over the sources of pairs: what it makes has their time steps, and their track is
  /// the input.
  func overSource<Value>(_ body: () -> Value) -> Value {
    guard axis == .stream, let source = tracks.ofSource else {
      preconditionFailure("the data are pairs, and the source has no source")
    }
    let (shape, streams) = (context.shape, tracks)
    (axis, context.shape, tracks) = (.source, shape.ofSource, source)
    defer { (axis, context.shape, tracks) = (.stream, shape, streams) }
    return body()
  }

  /// Has `body` add modules whose parameters, states, signals and random numbers have names that begin with `name` and a
  /// point.
  func within<Value>(_ name: String, _ body: () -> Value) -> Value {
    let outer = prefix
    prefix += "\(name)."
    defer { prefix = outer }
    return body()
  }

  /// Has `body` ask for what belongs to no part of the model, whatever part is being built: what several share.
  func outside<Value>(_ body: () -> Value) -> Value {
    let inner = prefix
    prefix = ""
    defer { prefix = inner }
    return body()
  }

  /// The whole name of what a module calls by a name of its own.
  func qualified(_ name: String) -> String { prefix + name }

  /// What keeps the memory of signals and scratch; the model's to hold.
  var memories: [AnyObject] { owned + (plan.map { [$0.signalGradients, $0.scratch] } ?? []) }
}
