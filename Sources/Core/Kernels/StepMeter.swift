import Chunks
import Glibc

/// Where the time of training steps goes, and how much is computed in it.
///
/// Every moment belongs to one part: a part that is measured within another interrupts it. Measuring costs some 50 ns
/// a part, a few hundred times a step, so it is always on.
package final class StepMeter {
  /// A part of a step.
  package enum Part: Int, CaseIterable, Sendable {
    /// Waiting for data.
    case data
    /// Matrix products.
    case products
    /// Packing weights for the recurrent products.
    case packing
    /// Recurrences that are linear in their state.
    case scans
    /// Gates, states, embeddings, sums of columns: everything in the layers but products.
    case pointwise
    /// The softmax and its losses.
    case softmax
    /// Summing gradients and sharing weights, with the wait for other ranks.
    case exchange
    /// Norms and updates.
    case optimizer
    /// The rest.
    case other

    /// Whether the rank computes its lanes.
    fileprivate var isOfPasses: Bool { self != .data && self != .exchange && self != .optimizer }
  }

  /// What a rank computes its lanes for: all time but that of data, exchange and optimizer belongs to one of them.
  package enum Pass: Int, CaseIterable, Sendable {
    /// As far as the losses.
    case forward
    /// From their gradients on.
    case backward
    /// Clearing gradients, packing weights, drawing inputs.
    case other
  }

  /// Floating-point operations of matrix products.
  package private(set) var operations = 0.0
  /// Bytes of the operands and results of matrix products, each counted once a product.
  package private(set) var bytes = 0.0
  private let spent: Buffer<Double>
  private let spentInPasses: Buffer<Double>
  private var current = Part.other
  private var pass = Pass.other
  private var since = monotonicSeconds()

  /// A meter at zero.
  package init() {
    spent = Buffer(count: Part.allCases.count)
    spentInPasses = Buffer(count: Pass.allCases.count)
  }

  /// Sets everything to zero.
  package func reset() {
    spent.clear()
    spentInPasses.clear()
    (operations, bytes) = (0, 0)
    since = monotonicSeconds()
  }

  /// The seconds that belong to a part so far.
  package func seconds(_ part: Part) -> Double { spent.base[part.rawValue] }

  /// The seconds that belong to a pass so far.
  package func seconds(_ pass: Pass) -> Double { spentInPasses.base[pass.rawValue] }

  /// Runs `body`, whose time belongs to `pass`, whatever parts it has.
  package func measure<Result>(_ pass: Pass, _ body: () throws -> Result) rethrows -> Result {
    let outer = self.pass
    change(to: current)
    self.pass = pass
    defer {
      change(to: current)
      self.pass = outer
    }
    return try body()
  }

  /// Runs `body`, whose time belongs to `part`.
  @inline(__always)
  package func measure<Result>(_ part: Part, _ body: () throws -> Result) rethrows -> Result {
    let outer = current
    change(to: part)
    defer { change(to: outer) }
    return try body()
  }

  /// Counts a product of an M x K and a K x N matrix.
  func count(m: Int, n: Int, k: Int) {
    count(
      operations: 2 * Double(m) * Double(n) * Double(k),
      bytes: 4 * (Double(m) * Double(k) + Double(n) * Double(k) + Double(m) * Double(n)))
  }

  /// Counts products of that many operations.
  func count(operations: Double, bytes: Double) {
    self.operations += operations
    self.bytes += bytes
  }

  private func change(to part: Part) {
    let now = monotonicSeconds()
    spent.base[current.rawValue] += now - since
    if current.isOfPasses { spentInPasses.base[pass.rawValue] += now - since }
    (current, since) = (part, now)
  }
}

/// Seconds of a clock that only goes forward.
package func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
