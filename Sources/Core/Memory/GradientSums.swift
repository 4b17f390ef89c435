import CKernels
import Chunks
import Preconditions

/// Adds what the shards of a rank contribute to the gradients of its parameters, in the order of `ShardTree`.
///
/// A chunk's contributions to a parameter are computed for one shard after another and summed at once, a block of the
/// parameter at a time: the sums that wait for each other, log2 of the shards, stay in the cache, and there is one
/// vector of gradients for each tree of shards. The bits are those of a vector for each shard, summed at the end.
///
/// That takes a shard's whole contribution at once. A parameter that a step adds to at several moments keeps its shards
/// apart, and `finish` sums them.
final class GradientSums {
  /// When a step adds to a parameter's gradient.
  enum Contributions {
    /// Once in each chunk.
    case atOnce
    /// At several moments of a chunk.
    case inParts
  }

  /// Some rows and columns of a parameter.
  struct Block {
    let rows: Range<Int>
    let columns: Range<Int>

    /// The block of a matrix of the parameter's shape.
    func part(of matrix: Matrix) -> Matrix { matrix.rows(rows).columns(columns) }
  }

  /// The shards of a parameter that are kept apart. A tree's first one is where its sum will be.
  private struct Apart {
    let gradient: Gradient
    /// The first element of each of the gradient's shards.
    let vectors: [UnsafeMutablePointer<Float>]
    let piece: Int
    let others: Buffer<Float>
  }

  private let shape: ChunkShape
  private let memory: ParameterMemory
  private let products: MatrixProducts
  private let accumulates: Bool
  /// The additions of each tree, over vectors of all shards.
  private let additions: [[(left: Int, right: Int)]]
  private var apart: [String: Apart] = [:]
  /// The sums that wait, one block for each place but the first: that is the tree's own gradient.
  private let waiting: Buffer<Float>
  private let waitingStride: Int

  /// - Parameter accumulates: Whether several chunks make one update; all parameters then keep their shards apart.
  init(_ memory: ParameterMemory, shape: ChunkShape, products: MatrixProducts, accumulates: Bool) {
    let trees = memory.trees
    precondition(
      trees.isEmpty || Array(trees.joined()) == Array(0..<shape.shards),
      "the trees are over the rank's shards")
    self.shape = shape
    self.memory = memory
    self.products = products
    self.accumulates = accumulates
    let leaves = trees.joined().map { $0..<$0 + 1 }
    additions = trees.map { ShardTree.additions(over: $0, leaves: leaves) }
    let places = trees.map { ShardTree.places(leaves: $0.count) }.max() ?? 1
    waitingStride =
      products.needsWholeGradients
      ? memory.layout.parameters.map(\.count).max() ?? 0 : BlockShape.most(memory.layout)
    waiting = Buffer(count: (places - 1) * waitingStride)
  }

  /// The views of a parameter; see `ParameterMemory.view`.
  func parameter(_ name: String, _ contributions: Contributions = .atOnce) -> ParameterView {
    var view = memory.view(name)
    guard accumulates || contributions == .inParts else { return view }
    let kept = apart[name] ?? keepApart(name, view.gradient)
    apart[name] = kept
    view.gradient = kept.gradient
    return view
  }

  private func keepApart(_ name: String, _ gradient: Gradient) -> Apart {
    let count = gradient.trees.first?.count ?? 0
    let others = Buffer<Float>(count: (memory.trees.joined().count - memory.trees.count) * count)
    var free = others.base
    var shards: [Matrix] = []
    for (tree, sum) in zip(memory.trees, gradient.trees) {
      shards.append(sum)
      for _ in tree.dropFirst() {
        shards.append(Matrix(free, rows: sum.rows, columns: sum.columns))
        free += count
      }
    }
    guard let piece = memory.layout.piece(of: name) else {
      preconditionFailure("every parameter is in a piece")
    }
    return Apart(
      gradient: Gradient(trees: gradient.trees, shards: shards), vectors: shards.map(\.base), piece: piece,
      others: others)
  }

  /// Sets all gradients to zero: call before the first chunk of a step.
  func clear() {
    for gradient in memory.gradients { gradient.update(repeating: 0, count: memory.layout.count) }
    for parameter in apart.values { parameter.others.clear() }
  }

  /// Sums what has been kept apart of a piece of the layout: call when all of the step is in it.
  func finish(piece: Int) {
    for parameter in apart.values where parameter.piece == piece {
      for (sum, additions) in zip(parameter.gradient.trees, additions) {
        ShardTree.add(additions, parameter.vectors, elements: 0..<sum.count)
      }
    }
  }

  /// gradient += dy^T x over each shard's rows of time-major arrays of `steps` steps.
  func addProduct(_ dy: Matrix, _ x: Matrix, steps: Int, to gradient: Gradient) {
    addProduct(dy, x, to: gradient) { shape.shardRows($0, steps: steps) }
  }

  /// gradient += dy^T x over the rows of each shard.
  func addProduct(_ dy: Matrix, _ x: Matrix, to gradient: Gradient, rows: (_ shard: Int) -> ShardRows) {
    // Written out as an argument: a closure that is kept would be allocated.
    add(
      to: gradient, whole: products.needsWholeGradients,
      joins: { products.addsWeightGradientAtOnce(rows: rows($0).count) }
    ) { shard, block, sum in
      products.weightGradient(
        dy.columns(block.rows), x.columns(block.columns), rows: rows(shard), into: sum)
    }
  }

  /// gradient += the sums of the columns of x over each shard's rows.
  func addColumnSums(_ x: Matrix, steps: Int, to gradient: Gradient) {
    add(to: gradient) { shard, block, sum in
      let (x, rows) = (x.columns(block.columns), shape.shardRows(shard, steps: steps))
      st_add_column_sums(x.columns, rows.count, rows.lanes, rows.stride, x[rows.first], x.stride, sum.base)
    }
  }

  /// gradient += the sums of the columns of the products of x's and y's elements over each shard's rows.
  func addColumnProducts(_ x: Matrix, _ y: Matrix, steps: Int, to gradient: Gradient) {
    precondition(x.stride == y.stride, "both factors have the same gaps")
    add(to: gradient) { shard, block, sum in
      let (x, y, rows) = (
        x.columns(block.columns), y.columns(block.columns), shape.shardRows(shard, steps: steps)
      )
      st_add_column_products(
        x.columns, rows.count, rows.lanes, rows.stride, x[rows.first], y[rows.first], x.stride, sum.base)
    }
  }

  /// gradient += the row of each shard. [shards, N]
  func addShardRows(_ x: Matrix, to gradient: Gradient) {
    add(to: gradient) { shard, block, sum in sum.add(block.part(of: x.rows(shard..<shard + 1))) }
  }

  /// gradient += what each shard contributes: `addShard` adds it, block by block of the parameter, to a matrix of the
  /// block's shape. The parameter is one block with `whole`.
  ///
  /// - Parameter joins: Whether what a shard adds has the same bits as the sum of what it would have added to zeros.
  func add(
    to gradient: Gradient, whole: Bool = false, joins: (_ shard: Int) -> Bool = { _ in false },
    _ addShard: (_ shard: Int, Block, _ sum: Matrix) -> Void
  ) {
    for (shard, sum) in gradient.shards.enumerated() { addShard(shard, Self.all(of: sum), sum) }
    guard gradient.shards.isEmpty else { return }
    for (tree, sum) in zip(memory.trees, gradient.trees) {
      if whole || tree.count == 1 {
        addTree(tree, Self.all(of: sum), to: sum, joins, addShard)
      } else {
        let shape = BlockShape(rows: sum.rows, columns: sum.columns)
        for row in stride(from: 0, to: sum.rows, by: shape.rows) {
          for column in stride(from: 0, to: sum.columns, by: shape.columns) {
            let block = Block(
              rows: row..<min(row + shape.rows, sum.rows),
              columns: column..<min(column + shape.columns, sum.columns))
            addTree(tree, block, to: block.part(of: sum), joins, addShard)
          }
        }
      }
    }
  }

  private func addTree(
    _ tree: Range<Int>, _ block: Block, to sum: Matrix, _ joins: (Int) -> Bool,
    _ addShard: (Int, Block, Matrix) -> Void
  ) {
    func place(_ index: Int) -> Matrix {
      guard index > 0 else { return sum }
      return Matrix(waiting.base + (index - 1) * waitingStride, rows: sum.rows, columns: sum.columns)
    }
    ShardTree.sum(
      leaves: tree.count, joins: { joins(tree.lowerBound + $0) },
      compute: { leaf, index, isJoined in
        let into = place(index)
        if index > 0 && !isJoined { into.clear() }
        addShard(tree.lowerBound + leaf, block, into)
      },
      add: { index in place(index).add(place(index + 1)) })
  }

  private static func all(of matrix: Matrix) -> Block {
    Block(rows: 0..<matrix.rows, columns: 0..<matrix.columns)
  }
}

/// The shape of the blocks in which a parameter is summed: small enough for some of them to stay in a cache, large
/// enough that packing the factors of their products takes little of the time.
private struct BlockShape {
  /// Rows that products compute at a time.
  private static let rowStep = 128
  /// Columns that a block of many rows has, about.
  private static let columnCount = 512
  /// Elements of a block, about.
  private static let count = 1 << 18

  let rows: Int
  let columns: Int

  init(rows: Int, columns: Int) {
    // Columns of nearly one size: narrow panels take as long as whole ones.
    let panel = st_panel_columns()
    let panels = (columns + panel - 1) / panel
    let most = max(Self.columnCount, Self.count / rows)
    let blocks = (columns + most - 1) / most
    self.columns = min(columns, (panels + blocks - 1) / blocks * panel)
    self.rows = min(rows, (Self.count / self.columns + Self.rowStep - 1) / Self.rowStep * Self.rowStep)
  }

  /// The elements of the largest block of the parameters of a layout.
  static func most(_ layout: ParameterLayout) -> Int {
    layout.parameters.map { parameter in
      let block = BlockShape(rows: parameter.count / parameter.columns, columns: parameter.columns)
      return block.rows * block.columns
    }.max() ?? 0
  }
}
