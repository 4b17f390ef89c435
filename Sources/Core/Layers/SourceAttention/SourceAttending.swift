/// What attends to the source of pairs, for those who look at what it attends to.
protocol SourceAttending: AnyObject {
  /// The heads with which it attends.
  var headCount: Int { get }
  /// Adds the weights that each head gave the positions of the source at a row of the last chunk; there are as many sums as
  /// positions.
  func addWeights(ofRow row: Int, to sums: inout [Float])
}
