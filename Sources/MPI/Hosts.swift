import Preconditions

/// Which ranks of a group are on which host; those of a host follow one another.
package struct Hosts: Equatable, Sendable {
  /// The ranks of each host, in ascending order.
  package let ranks: [Range<Int>]

  /// Hosts of so many ranks each.
  package init(ranks counts: [Int]) {
    precondition(counts.allSatisfy { $0 > 0 }, "a host has ranks")
    var first = 0
    ranks = counts.map { count in
      defer { first += count }
      return first..<first + count
    }
  }

  /// The number of hosts.
  package var count: Int { ranks.count }

  /// The number of ranks of all hosts.
  package var rankCount: Int { ranks.last?.upperBound ?? 0 }

  /// The host that a rank is on.
  package func host(of rank: Int) -> Int {
    guard let host = ranks.firstIndex(where: { $0.contains(rank) }) else {
      preconditionFailure("there is no rank \(rank) among \(rankCount)")
    }
    return host
  }
}

extension Communicator {
  /// The same ranks, of which those that give the same number are taken to be on one host. They are numbered anew where
  /// the ranks of a host do not follow one another; the first rank stays the first. Collective.
  ///
  /// Only tests give other numbers than hosts have: they make one host look like several.
  ///
  /// - Throws: `MPIError`.
  package func grouped(byHost number: Int) throws -> Communicator {
    var members: [(number: Int, ranks: [Int])] = []
    for (rank, number) in try allgather(number).enumerated() {
      if let host = members.firstIndex(where: { $0.number == number }) {
        members[host].ranks.append(rank)
      } else {
        members.append((number, [rank]))
      }
    }
    let order = members.flatMap(\.ranks)
    var group = self
    if order != Array(0..<size) { group = try split(color: 0, key: order.firstIndex(of: rank) ?? 0) }
    group.hosts = Hosts(ranks: members.map(\.ranks.count))
    return group
  }

  /// The ranks of this group on the same host as the calling one, in the same order. Collective.
  ///
  /// - Throws: `MPIError`.
  package func splitByHost() throws -> Communicator { try split(color: hosts.host(of: rank), key: rank) }

  /// The ranks of this group that have the same place on their host as the calling one, in the order of hosts: the first
  /// of each host, the second of each that has one, and so on. Collective.
  ///
  /// - Throws: `MPIError`.
  package func splitAcrossHosts() throws -> Communicator {
    try split(color: rank - hosts.ranks[hosts.host(of: rank)].lowerBound, key: rank)
  }
}
