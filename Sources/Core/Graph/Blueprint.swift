import Chunks
import Preconditions

/// What there is in a model: known from the measuring pass of its `Builder`, before anything has its place.
package struct Blueprint {
  /// Where the parameters lie: in pieces, in the order in which backward completes them.
  package let layout: ParameterLayout
  /// The states that are carried, each [B, width].
  package let states: [(name: String, width: Int)]
  /// The floats of the packed weights.
  let packedCount: Int
  /// For each module and, behind them, the head: the piece that its backward pass completes, if any.
  let pieces: [Int?]
  /// The parameters that several modules use.
  let sharedParameters: Set<String>
  /// For each signal, how many read it.
  let readers: [Int]
  /// For each signal, where its gradient begins in the memory that all of them share by turns.
  let gradientOffsets: [Int]
  /// The floats of that memory.
  let gradientCount: Int
  /// The floats of the largest signal that several read.
  let scratchCount: Int

  /// A parameter that the module of that number asked for.
  struct Declaration {
    let parameter: Parameter
    let module: Int
  }

  /// What a module does with a signal.
  enum Use {
    case makes(signal: Int, module: Int)
    case reads(signal: Int, module: Int)
  }

  /// Measures a model for chunks of some shape.
  package init(_ configuration: ModelConfiguration, _ options: BuildOptions) {
    self = MemoryMeasurement.uncounted {
      let builder = Builder(measuring: options)
      Catalog.build(configuration, builder)
      return Blueprint(builder)
    }
  }

  /// Measures a model of which only the parameters and states matter, which are the same for chunks of any shape.
  package init(_ configuration: ModelConfiguration, tracks: TrackSet) {
    let shape = ChunkShape(steps: 1, sourceSteps: 1, shards: 1, lanesPerShard: 1)
    self.init(configuration, BuildOptions(shape: shape, tracks: tracks))
  }

  private init(_ builder: Builder) {
    let pieces = Pieces(builder.declarations, modules: builder.modules.count + 1)
    layout = ParameterLayout(pieces: pieces.groups)
    self.pieces = pieces.ofModule
    sharedParameters = pieces.shared
    states = builder.states.map { ($0.name, $0.values.columns) }
    packedCount = builder.packedCount
    let lifetimes = Self.lifetimes(builder.uses, signals: builder.signals)
    readers = lifetimes.map(\.readers)
    (gradientOffsets, gradientCount) = Self.place(lifetimes)
    scratchCount = lifetimes.filter { $0.readers > 1 }.map(\.count).max() ?? 0
  }

  /// The floats of the packed weights that ranks can share: none in oneDNN's form.
  package func packedCount(_ precision: Precision) -> Int {
    precision == .bfloat16 && !precision.isEmulated ? 0 : packedCount
  }
}

/// Groups parameters by the module whose backward pass completes them: the first of their users, since backward passes
/// run in reverse order.
private struct Pieces {
  var groups: [[Parameter]] = []
  var ofModule: [Int?]
  var shared: Set<String> = []

  /// Smaller pieces go with the next one: each costs an exchange of its own.
  private static let least = 1 << 12

  init(_ declarations: [Blueprint.Declaration], modules: Int) {
    ofModule = [Int?](repeating: nil, count: modules)
    var parameters = [[Parameter]](repeating: [], count: modules)
    var shapes: [String: [Int]] = [:]
    for declaration in declarations {
      let parameter = declaration.parameter
      guard let shape = shapes.updateValue(parameter.shape, forKey: parameter.name) else {
        parameters[declaration.module].append(parameter)
        continue
      }
      precondition(shape == parameter.shape, "modules that share a parameter agree on its shape")
      shared.insert(parameter.name)
    }
    var group: [Parameter] = []
    for module in (0..<modules).reversed() {
      group += parameters[module]
      let count = group.reduce(0) { $0 + $1.count }
      guard count >= Self.least || (module == 0 && count > 0) else { continue }
      ofModule[module] = groups.count
      groups.append(group)
      group = []
    }
  }
}

extension Blueprint {
  /// When a signal's gradient is needed, in backward time: from its last reader to its maker.
  fileprivate struct Lifetime {
    var maker = 0
    var lastReader = 0
    var readers = 0
    let count: Int
  }

  fileprivate static func lifetimes(_ uses: [Use], signals: [Signal]) -> [Lifetime] {
    var lifetimes = signals.map { Lifetime(count: ($0.value.count + 15) / 16 * 16) }
    for use in uses {
      switch use {
      case .makes(let signal, let module): lifetimes[signal].maker = module
      case .reads(let signal, let module):
        lifetimes[signal].readers += 1
        lifetimes[signal].lastReader = max(lifetimes[signal].lastReader, module)
      }
    }
    return lifetimes
  }

  /// Places the gradients so that those needed at one time don't overlap, each as low as it fits.
  fileprivate static func place(_ lifetimes: [Lifetime]) -> (offsets: [Int], count: Int) {
    var offsets = [Int](repeating: 0, count: lifetimes.count)
    var end = 0
    var placed: [Int] = []
    // In backward time.
    for signal in lifetimes.indices.sorted(by: { lifetimes[$0].lastReader > lifetimes[$1].lastReader }) {
      let own = lifetimes[signal]
      let taken = placed.filter {
        lifetimes[$0].maker <= own.lastReader && own.maker <= lifetimes[$0].lastReader
      }.map { offsets[$0]..<offsets[$0] + lifetimes[$0].count }.sorted { $0.lowerBound < $1.lowerBound }
      var offset = 0
      for range in taken where range.lowerBound < offset + own.count {
        offset = max(offset, range.upperBound)
      }
      offsets[signal] = offset
      end = max(end, offset + own.count)
      placed.append(signal)
    }
    return (offsets, end)
  }
}
