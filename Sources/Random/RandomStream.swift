import CKernels
import CKernels
import Preconditions

/// What a random number is for. Part of every key, so that no two uses share a sequence.
package enum Purpose: UInt32, Sendable {
  case initialization = 1
  case shuffling = 2
  case dropout = 3
  case generation = 4
  case synthesis = 5
  case benchmark = 6
  case sampling = 7
  case freeRunning = 8
}

/// The key of a family of random sequences: a function of the run's seed and the purpose.
///
/// Every random number of a run is a pure function of (seed, purpose, place), where the place is a triple that the
/// user of the numbers chooses (step, stream or lane, layer...), and of its index. No rank and no history is in it,
/// so any number of ranks draws the same numbers, in any order.
package struct RandomKey: Sendable, Hashable {
  /// The 64-bit key of the Philox generator.
  package let value: UInt64

  /// The key of `purpose` in a run seeded by `seed`.
  package init(seed: UInt64, purpose: Purpose) {
    let mixed = st_philox(
      seed, purpose.rawValue, UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32), 0)
    value = UInt64(mixed.x0) | UInt64(mixed.x1) << 32
  }

  /// The key of `purpose` for whatever has that name.
  package init(seed: UInt64, purpose: Purpose, name: String) {
    let (low, high) = Self.place(of: name)
    let mixed = st_philox(RandomKey(seed: seed, purpose: purpose).value, low, high, 0, 0)
    value = UInt64(mixed.x0) | UInt64(mixed.x1) << 32
  }

  /// Two parts of a place that stand for a name (FNV-1a: Fowler, Noll and Vo).
  package static func place(of name: String) -> (UInt32, UInt32) {
    let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return (UInt32(truncatingIfNeeded: hash), UInt32(hash >> 32))
  }
}

/// One counter-based sequence of random numbers (Philox-4x32-10, Salmon et al. 2011).
package struct RandomStream: RandomNumberGenerator, Sendable {
  // What the next number takes is inlined where it is drawn, millions of times for an epoch's order.
  @usableFromInline let key: RandomKey
  @usableFromInline let place: (UInt32, UInt32, UInt32)
  @usableFromInline var block: UInt32 = 0
  @usableFromInline var numbers = st_random4()
  @usableFromInline var used = 4

  /// The sequence of `key` at `place`.
  package init(_ key: RandomKey, at place: (UInt32, UInt32, UInt32) = (0, 0, 0)) {
    self.key = key
    self.place = place
  }

  /// The next 32 bits.
  @inlinable
  package mutating func next32() -> UInt32 {
    if used == 4 {
      numbers = st_philox(key.value, block, place.0, place.1, place.2)
      block += 1
      used = 0
    }
    defer { used += 1 }
    switch used {
    case 0: return numbers.x0
    case 1: return numbers.x1
    case 2: return numbers.x2
    default: return numbers.x3
    }
  }

  /// The next 64 bits.
  @inlinable
  package mutating func next() -> UInt64 {
    let low = UInt64(next32())
    return low | UInt64(next32()) << 32
  }

  /// A number in [0, 1), uniform, of 53 bits.
  @inlinable
  package mutating func uniform() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// A number below `bound`, uniform and without bias (Lemire 2019, "Fast random integer generation in an interval").
  @inlinable
  package mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "an empty range has no random number")
    let bound = UInt64(bound)
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let threshold = (0 &- bound) % bound
      while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
    }
    return Int(product.high)
  }
}
