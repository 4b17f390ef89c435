import CKernels

/// One state of a recurrent layer over a chunk: what enters it, and what each step leaves.
///
/// The state is carried from chunk to chunk; its gradient is not, unless the caller leaves one in `gradient`.
final class StateSequence {
  /// The name in checkpoints.
  let name: String
  /// Before `backward`: the gradient of the state that leaves the chunk. After: of the state that entered it. [B, H]
  let gradient: Matrix
  /// All steps' states but the entering one: [T B, H].
  let output: Matrix
  /// The state before each step, [T B, H]: `output` a step later. A reset is not in it before `applyResets`.
  let previous: Matrix

  private let context: LayerContext
  private let carries: Bool
  private let learnt: ParameterView?
  private let values: Buffer<Float>
  private let working: Buffer<Float>
  private let afterReset: Matrix

  /// A state of width `hidden`. Where `initialState` is learnt, its initial value is the parameter `learntName`.
  init(_ name: String, _ context: LayerContext, hidden: Int, initialState: InitialState, learntName: String) {
    let (steps, lanes) = (context.shape.steps, context.shape.lanes)
    self.name = name
    self.context = context
    carries = initialState != .zero
    learnt = initialState == .learnt ? context.gradients.parameter(learntName, .inParts) : nil
    values = Buffer(rows: (steps + 1) * lanes, columns: hidden)
    working = Buffer(rows: 2 * lanes, columns: hidden)
    previous = values.matrix(rows: steps * lanes, columns: hidden)
    output = Matrix(values.base + lanes * hidden, rows: steps * lanes, columns: hidden)
    gradient = working.matrix(rows: lanes, columns: hidden)
    afterReset = Matrix(working.base + lanes * hidden, rows: lanes, columns: hidden)
  }

  private var lanes: Int { context.shape.lanes }

  /// The state that the last chunk left, [B, H]: what the next one begins with.
  var carried: Matrix { output.step(context.shape.steps - 1, of: lanes) }

  /// The state that entered the last chunk, [B, H].
  var entering: Matrix { previous.step(0, of: lanes) }

  /// The state after step t, [B, H].
  func after(_ t: Int) -> Matrix { output.step(t, of: lanes) }

  /// Begins a chunk: what the last one left enters it.
  func enter() {
    if carries { entering.copy(from: carried) } else { entering.clear() }
  }

  /// The state before step t, with resets applied, [B, H]; valid until the next call.
  func before(_ t: Int, _ chunk: TokenChunk) -> Matrix {
    let state = previous.step(t, of: lanes)
    guard chunk.hasReset(t) else { return state }
    // Nobody but this chunk reads what enters it, while the outputs of later steps belong to the layer above too.
    guard t > 0 else {
      reset(state, t, chunk)
      return state
    }
    afterReset.copy(from: state)
    reset(afterReset, t, chunk)
    return afterReset
  }

  /// Applies the resets to `previous` for good, once nobody needs `output` any more.
  func applyResets(_ chunk: TokenChunk) {
    for t in 0..<context.shape.steps where chunk.hasReset(t) {
      reset(previous.step(t, of: lanes), t, chunk)
    }
  }

  /// Where step t resets lanes, `gradient` (of the state before the step) ends there: it goes to the learnt initial
  /// state, if there is one, and is zero from there back.
  func cutGradient(at t: Int, _ chunk: TokenChunk) {
    for lane in 0..<lanes where chunk.isReset(t, lane: lane) {
      if let learnt {
        let initial = learnt.gradient.shards[lane / context.shape.lanesPerShard]
        st_add(gradient.columns, initial.base, gradient[lane], initial.base)
      }
      gradient[lane].update(repeating: 0, count: gradient.columns)
    }
  }

  /// Exchanges `gradient` with another [B, H], in the lanes that step t resets.
  func exchangeGradient(_ other: Matrix, at t: Int, _ chunk: TokenChunk) {
    for lane in 0..<lanes where chunk.isReset(t, lane: lane) {
      let (own, others) = (gradient[lane], other[lane])
      for i in 0..<gradient.columns { swap(&own[i], &others[i]) }
    }
  }

  private func reset(_ state: Matrix, _ t: Int, _ chunk: TokenChunk) {
    let initial = learnt?.weights.base
    for lane in 0..<lanes where chunk.isReset(t, lane: lane) {
      if let initial {
        state[lane].update(from: initial, count: state.columns)
      } else {
        state[lane].update(repeating: 0, count: state.columns)
      }
    }
  }
}
