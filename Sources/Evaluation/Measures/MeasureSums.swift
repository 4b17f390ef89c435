import Chunks
import Core

/// The sums behind the measures of a model, over the lanes of a rank.
package final class MeasureSums {
  private let tallies: [any Tally]
  private let lanes: Int
  /// Of each tally. [rows, count]
  private var sums: [[Double]] = []

  /// Sums of what a model will evaluate.
  package init(_ measures: MeasureSet, _ model: Model) {
    tallies = measures.makeTallies(model)
    lanes = model.shape.lanes
    begin()
  }

  /// Begins anew.
  package func begin() {
    for tally in tallies { tally.begin() }
    sums = tallies.map { [Double](repeating: 0, count: $0.count * ($0.isExact ? 1 : lanes)) }
  }

  /// Adds the chunk that the model has just evaluated.
  package func add(_ chunk: Chunk) {
    for (tally, index) in zip(tallies, sums.indices) { tally.add(chunk, to: &sums[index]) }
  }

  /// Makes measures of the sums, once all chunks have been added.
  ///
  /// - Parameter gather: Brings the rows of sums of all ranks together, in their order; `isExact` says that a rank has one
  ///   row, instead of one a lane.
  package func conclude(
    gather: (_ own: [Double], _ columns: Int, _ isExact: Bool) throws -> [Double]
  ) rethrows -> Metrics {
    var metrics = Metrics()
    for (tally, index) in zip(tallies, sums.indices) {
      tally.finish(&sums[index])
      let all = try gather(sums[index], tally.count, tally.isExact)
      let total = (0..<tally.count).map { column in
        stride(from: column, to: all.count, by: tally.count).reduce(0) { $0 + all[$1] }
      }
      tally.conclude(total, &metrics)
    }
    return metrics
  }
}
