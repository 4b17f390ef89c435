import Core
import MPI

/// Which rank sums, updates and sends which part of the flat vector of parameters.
///
/// Each piece of the layout is cut into a slice for every host, and each slice over the ranks of its host, in whole blocks
/// of `ParameterLayout.alignment` elements: so a piece can be exchanged as soon as backward has finished it, a block's
/// norm is one rank's to compute, and every host sends and receives the same.
package struct Ownership {
  /// Elements that one rank sums over the shards of its host and another, on another host, owns.
  package struct Transfer: Equatable {
    /// The rank at the other end.
    package let rank: Int
    package let elements: Range<Int>
  }

  private let layout: ParameterLayout
  private let hosts: Hosts

  package init(_ layout: ParameterLayout, hosts: Hosts) {
    self.layout = layout
    self.hosts = hosts
  }

  /// The elements of a piece that a rank owns: it finishes their sums and updates them.
  package func range(of rank: Int, piece: Int) -> Range<Int> {
    share(of: rank, host: hosts.host(of: rank), piece: piece)
  }

  /// The elements that a rank owns: a range of each piece.
  package func ranges(of rank: Int) -> [Range<Int>] {
    layout.pieces.indices.map { range(of: rank, piece: $0) }
  }

  /// The number of elements of a piece that each rank owns.
  package func counts(ofPiece piece: Int) -> [Int] {
    (0..<hosts.rankCount).map { range(of: $0, piece: piece).count }
  }

  /// The elements of a host's slice of a piece that a rank, of that host or another, sums over the shards of its own host.
  package func share(of rank: Int, host: Int, piece: Int) -> Range<Int> {
    let piece = layout.pieces[piece]
    let block = ParameterLayout.alignment
    let slice = RankBlocks.evenPart(of: piece.count / block, rank: host, ranks: hosts.count)
    let ranks = hosts.ranks[hosts.host(of: rank)]
    let part = RankBlocks.evenPart(of: slice.count, rank: rank - ranks.lowerBound, ranks: ranks.count)
    let start = piece.lowerBound + slice.lowerBound * block
    return start + part.lowerBound * block..<start + part.upperBound * block
  }

  /// What a rank sums of a piece for the ranks of another host, each of which owns some of it.
  package func outgoing(from rank: Int, toHost host: Int, piece: Int) -> [Transfer] {
    let share = share(of: rank, host: host, piece: piece)
    return transfers(hosts.ranks[host]) { share.clamped(to: range(of: $0, piece: piece)) }
  }

  /// What the ranks of another host sum of the part of a piece that a rank owns.
  package func incoming(to rank: Int, fromHost host: Int, piece: Int) -> [Transfer] {
    let own = range(of: rank, piece: piece)
    return transfers(hosts.ranks[host]) {
      own.clamped(to: share(of: $0, host: hosts.host(of: rank), piece: piece))
    }
  }

  private func transfers(_ ranks: Range<Int>, _ elements: (Int) -> Range<Int>) -> [Transfer] {
    ranks.map { Transfer(rank: $0, elements: elements($0)) }.filter { !$0.elements.isEmpty }
  }
}
