/// What each position of a track holds.
package enum TrackKind: Sendable, Hashable {
  /// A whole number below `count`: a token, or a label.
  case tokens(count: Int)
  /// `width` real numbers.
  case frames(width: Int)
}

/// What a track is to a model.
package enum TrackRole: Int, Sendable, Hashable, CaseIterable {
  /// What the model reads.
  case input
  /// What it should say of each position.
  case target
  /// How much each unit of a target counts, besides the weight of its position.
  case weight
  /// What a stream begins with; it stands where the lane's state is reset.
  case initial
}

/// The tracks that a model reads, one for each role.
package struct TrackSet: Sendable, Hashable {
  private var kinds: [TrackRole: TrackKind]
  /// Whether every number of the target's frames is 0 or 1.
  package let hasBinaryTargets: Bool
  /// What each position of a pair's source holds; nil where streams are no pairs.
  package let source: TrackKind?

  /// Tracks of these kinds.
  package init(
    _ kinds: [TrackRole: TrackKind], hasBinaryTargets: Bool = false, source: TrackKind? = nil
  ) {
    self.kinds = kinds
    self.hasBinaryTargets = hasBinaryTargets
    self.source = source
  }

  /// What a chunk's source holds: one track, which is read.
  package var ofSource: TrackSet? { source.map { TrackSet([.input: $0]) } }

  /// The tracks of a language model: tokens, and the token that follows each.
  package static func language(vocabulary: Int) -> TrackSet {
    TrackSet([.input: .tokens(count: vocabulary), .target: .tokens(count: vocabulary)])
  }

  /// The kind of the track with that role, if there is one.
  package subscript(role: TrackRole) -> TrackKind? { kinds[role] }
}
