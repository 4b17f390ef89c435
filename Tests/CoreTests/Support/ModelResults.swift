import Chunks
import Core

/// What a model has made of its last chunk.
extension Model {
  /// The loss of each position. [T B]
  var losses: [Double] {
    guard case .doubles(let values) = record("loss").values else { return [] }
    return Array(UnsafeBufferPointer(start: values, count: shape.rows))
  }

  /// The most probable token of each position, after `evaluate`. [T B]
  var predictions: [Int32] {
    guard case .integers(let values) = record("prediction").values else { return [] }
    return Array(UnsafeBufferPointer(start: values, count: shape.rows))
  }

  /// The sum of the losses of each lane. [B]
  var laneLosses: [Double] { (0..<shape.lanes).map { sums[$0, LaneSums.loss] } }

  /// The sum of the weights of each lane. [B]
  var laneWeights: [Double] { (0..<shape.lanes).map { sums[$0, LaneSums.weight] } }

  private func record(_ name: String) -> Record {
    guard let record = records.first(where: { $0.name == name }) else {
      preconditionFailure("no record \(name)")
    }
    return record
  }
}

/// Where the parameters of a language model lie.
func layout(_ configuration: ModelConfiguration, vocabulary: Int) -> ParameterLayout {
  Blueprint(configuration, tracks: .language(vocabulary: vocabulary)).layout
}
