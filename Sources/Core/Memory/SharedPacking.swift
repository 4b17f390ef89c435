import Chunks
import Preconditions

/// Memory for packed weights that several models of the same weights read, each of which packs a part.
///
/// Weights are packed by all of them between two points at which they wait for each other.
package struct SharedPacking {
  /// `LanguageModel.packedCount` floats, aligned to 64 bytes.
  package let floats: UnsafeMutableBufferPointer<Float>
  /// Which of the sharers this is, from 0.
  package let sharer: Int
  /// How many they are.
  package let sharers: Int

  /// The part of one sharer.
  package init(floats: UnsafeMutableBufferPointer<Float>, sharer: Int, sharers: Int) {
    precondition((0..<sharers).contains(sharer), "sharer \(sharer) of \(sharers)")
    self.floats = floats
    self.sharer = sharer
    self.sharers = sharers
  }
}

/// Hands out memory for packed weights, shared or not, and says which part of them is to be packed.
final class PackingMemory {
  private let shared: SharedPacking?
  private var used = 0
  private var own: [Buffer<Float>] = []

  init(_ shared: SharedPacking?) { self.shared = shared }

  /// `count` floats, which live as long as this does, and as the shared memory.
  func allocate(_ count: Int) -> UnsafeMutablePointer<Float> {
    if let base = shared?.floats.baseAddress {
      precondition(used + count <= shared?.floats.count ?? 0, "more is packed than there is memory for")
      defer { used += count }
      return base + used
    }
    let buffer = Buffer<Float>(count: count)
    own.append(buffer)
    return buffer.base
  }

  /// The part of `panels` panels that this model packs.
  func part(ofPanels panels: Int) -> Range<Int> {
    guard let shared else { return 0..<panels }
    return panels * shared.sharer / shared.sharers..<panels * (shared.sharer + 1) / shared.sharers
  }
}
