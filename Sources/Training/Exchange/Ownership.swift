import Core
import MPI

/// Which rank reduces and updates which part of the flat vector of parameters.
///
/// Each piece of the layout is split over the ranks in whole blocks of `ParameterLayout.alignment` elements, so that
/// a piece can be exchanged as soon as backward has finished it, and a block's norm is one rank's to compute.
package struct Ownership {
  private let layout: ParameterLayout
  private let ranks: Int

  package init(_ layout: ParameterLayout, ranks: Int) {
    self.layout = layout
    self.ranks = ranks
  }

  /// The elements of a piece that a rank owns.
  package func range(of rank: Int, piece: Int) -> Range<Int> {
    let piece = layout.pieces[piece]
    let block = ParameterLayout.alignment
    let own = RankBlocks.evenPart(of: piece.count / block, rank: rank, ranks: ranks)
    return piece.lowerBound + own.lowerBound * block..<piece.lowerBound + own.upperBound * block
  }

  /// The elements that a rank owns: a range of each piece.
  package func ranges(of rank: Int) -> [Range<Int>] {
    layout.pieces.indices.map { range(of: rank, piece: $0) }
  }

  /// The number of elements of a piece that each rank owns.
  package func counts(ofPiece piece: Int) -> [Int] {
    (0..<ranks).map { range(of: $0, piece: piece).count }
  }
}
