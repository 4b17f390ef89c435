import Chunks
import Glibc
import Random
import Settings

/// Random bits, each labelled with the parity of all bits up to it.
package struct Parity: StreamTask {
  package static let name = "parity"
  package static let abstract = "Random bits, each labelled with the parity of all bits so far."
  package static let sizes: [Setting<Parity>] = [
    .streams, Setting("length", \.length, .within(1, 1_000_000), "Bits of a stream"),
  ]
  package static let loss = StatedLoss.crossEntropy

  package var streams = 20_000
  /// T, the bits of a stream.
  package var length = 50

  package init() {}

  package var tracks: [TrackRole: TrackDescription] {
    get throws { [.input: try .symbols(["0", "1"]), .target: try .symbols(["even", "odd"])] }
  }

  package var trivial: Double? { log(2) }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    { random in
      let bits = random.tokens(length, below: 2)
      var parity: Int32 = 0
      let labels = bits.map { bit in
        parity ^= bit
        return parity
      }
      return SyntheticStream(input: .tokens(bits), target: .tokens(labels))
    }
  }
}
