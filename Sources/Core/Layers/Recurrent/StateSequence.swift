import CKernels
import Chunks

/// One state of a recurrent layer over a chunk: what enters it, and what each step leaves.
///
/// Going forward, the state is carried from chunk to chunk; its gradient is not, unless the caller leaves one in
/// `gradient`. In reverse every chunk begins anew, and a stream at its end: there is a reset before step t where one
/// begins at t + 1.
final class StateSequence {
  /// The name in checkpoints.
  let name: String
  /// Before `backward`: the gradient of the state that leaves the chunk. After: of the state that entered it. [B, H]
  let gradient: Matrix
  /// The states that the steps leave. [T B, H]
  let output: Matrix
  /// The state before each step, [T B, H]: `output` a step later. A reset is not in it before `applyResets`.
  let previous: Matrix

  private let context: ModuleContext
  private let direction: Direction
  private let carries: Bool
  private let learnt: ParameterView?
  private let initial: (any InitialStates)?
  /// What enters and what the steps leave, in the order of time. [(T + 1) B, H]
  private let values: Matrix
  private let afterReset: Matrix

  /// A state of width `hidden`. Where a stream begins it is `initial`'s; otherwise, where `initialState` is learnt, the
  /// parameter `learntName`; otherwise zero.
  init(
    _ builder: Builder, _ name: String, hidden: Int, initialState: InitialState, learntName: String,
    initial: (any InitialStates)?, direction: Direction
  ) {
    let (rows, lanes) = (builder.shape.rows, builder.shape.lanes)
    self.name = name
    self.direction = direction
    context = builder.context
    carries = direction == .forward && initialState != .zero
    self.initial = initial
    learnt =
      initialState == .learnt && initial == nil
      ? builder.parameter(learntName, [hidden], .constant(0), .inParts) : nil
    values = builder.floats(rows + lanes, hidden)
    let (first, second) = (values.rows(0..<rows), values.rows(lanes..<rows + lanes))
    (previous, output) = direction == .forward ? (first, second) : (second, first)
    gradient = builder.floats(lanes, hidden)
    afterReset = builder.floats(lanes, hidden)
    guard direction == .forward else { return }
    builder.carry(
      CarriedState(name: name, values: carried, entering: first.prefix(lanes), gradient: gradient))
  }

  private var lanes: Int { context.shape.lanes }

  /// The state that the last chunk left, [B, H]: what the next one begins with.
  private var carried: Matrix { values.step(context.shape.steps, of: lanes) }

  /// The state that step t leaves. [B, H]
  func after(_ t: Int) -> Matrix { output.step(t, of: lanes) }

  /// Begins a chunk: what the last one left enters it.
  func enter(_ chunk: Chunk) {
    let entering = values.step(direction == .forward ? 0 : chunk.steps, of: lanes)
    if carries { entering.copy(from: carried) } else { entering.clear() }
    initial?.forward(chunk)
  }

  /// Ends the forward pass of a chunk.
  func leave(_ chunk: Chunk) {
    if carries && chunk.steps < chunk.capacity { carried.copy(from: after(chunk.steps - 1)) }
  }

  /// Computes the states of a chunk tile by tile, each as a whole.
  func forward(_ chunk: Chunk, _ computeTile: (Tile) -> Void) {
    let (entering, leaving) = (previous.step(0, of: lanes), after(chunk.steps - 1))
    for tile in context.timeline.tiles {
      context.timeline.enter(tile, from: leaving, into: entering)
      computeTile(tile)
      context.timeline.leave(tile, leaving)
    }
  }

  /// Computes their gradients in reverse.
  func backward(_ computeTile: (Tile) -> Void) {
    for tile in context.timeline.tiles.reversed() {
      context.timeline.enterBackward(tile, from: gradient, into: gradient)
      computeTile(tile)
      context.timeline.leaveBackward(tile, gradient)
    }
  }

  /// The state of all lanes before step t, with resets applied, [B, H]; valid until the next call.
  func before(_ t: Int, _ chunk: Chunk) -> Matrix { before(t, chunk, lanes: 0..<lanes) }

  /// The same of some lanes.
  func before(_ t: Int, _ chunk: Chunk, lanes: Range<Int>) -> Matrix {
    let state = previous.step(t, of: self.lanes).rows(lanes)
    guard hasReset(t, chunk, lanes) else { return state }
    // Nobody but this chunk reads what enters it, while the outputs of later steps belong to other readers too.
    guard t != firstStep(of: chunk) else {
      reset(state, t, chunk, lanes)
      return state
    }
    let afterReset = afterReset.rows(lanes)
    afterReset.copy(from: state)
    reset(afterReset, t, chunk, lanes)
    return afterReset
  }

  /// Applies the resets to `previous` for good, once nobody needs `output` any more.
  func applyResets(_ chunk: Chunk) {
    let all = 0..<lanes
    for t in 0..<chunk.steps where hasReset(t, chunk, all) {
      reset(previous.step(t, of: lanes), t, chunk, all)
    }
  }

  /// Ends the backward pass of a chunk: passes on the gradients of the first states.
  func finishGradients(_ chunk: Chunk) { initial?.backward(chunk) }

  /// Where step t resets lanes, `gradient` (of the state before the step) ends there: it goes to the initial state, if it
  /// is not fixed, and is zero from there back.
  func cutGradient(at t: Int, _ chunk: Chunk) { cutGradient(at: t, chunk, lanes: 0..<lanes) }

  /// The same in some lanes.
  func cutGradient(at t: Int, _ chunk: Chunk, lanes: Range<Int>) {
    for lane in lanes where isReset(t, lane: lane, chunk) {
      if let initial {
        initial.add(gradient[lane], at: beginning(t, lane: lane, chunk))
      } else if let learnt {
        let initial = learnt.gradient.shards[lane / context.shape.lanesPerShard]
        st_add(gradient.columns, initial.base, gradient[lane], initial.base)
      }
      gradient[lane].update(repeating: 0, count: gradient.columns)
    }
  }

  /// Exchanges `gradient` with another [B, H], in the lanes that step t resets.
  func exchangeGradient(_ other: Matrix, at t: Int, _ chunk: Chunk) {
    for lane in 0..<lanes where isReset(t, lane: lane, chunk) {
      let (own, others) = (gradient[lane], other[lane])
      for i in 0..<gradient.columns { swap(&own[i], &others[i]) }
    }
  }

  /// Applies the resets before step t to the states of some lanes.
  private func reset(_ states: Matrix, _ t: Int, _ chunk: Chunk, _ lanes: Range<Int>) {
    for lane in lanes where isReset(t, lane: lane, chunk) {
      let state = states[lane - lanes.lowerBound]
      let learnt = learnt.map { UnsafePointer($0.weights.base) }
      if let first = initial?.state(at: beginning(t, lane: lane, chunk)) ?? learnt {
        state.update(from: first, count: states.columns)
      } else {
        state.update(repeating: 0, count: states.columns)
      }
    }
  }

  /// The position where the stream of step t begins.
  private func beginning(_ t: Int, lane: Int, _ chunk: Chunk) -> Int {
    var first = t
    while first > 0 && !chunk.isReset(first, lane: lane) { first -= 1 }
    return first * lanes + lane
  }

  private func firstStep(of chunk: Chunk) -> Int { direction == .forward ? 0 : chunk.steps - 1 }

  private func isReset(_ t: Int, lane: Int, _ chunk: Chunk) -> Bool {
    direction.isReset(t, lane: lane, chunk)
  }

  private func hasReset(_ t: Int, _ chunk: Chunk, _ lanes: Range<Int>) -> Bool {
    direction == .forward
      ? chunk.hasReset(t, lanes: lanes) : t + 1 == chunk.steps || chunk.hasReset(t + 1, lanes: lanes)
  }
}
