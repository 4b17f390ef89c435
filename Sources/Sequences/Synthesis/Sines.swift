import Chunks
import Random
import Settings

/// A sum of sines with noise, of which some values are missing, to be predicted value by value.
///
/// The frequencies are drawn once for the dataset, amplitudes and phases for each stream. A frame is the value, 0
/// where it is missing, and whether it is present; the target is the next value, and counts nothing where that is
/// missing. The floor is the mean squared error of the exact filter, which knows the frequencies.
package struct Sines: StreamTask {
  package static let name = "sines"
  package static let abstract = "A sum of sines with noise and missing values, each to be predicted."
  package static let sizes: [Setting<Sines>] = [
    .streams, Setting("length", \.length, .within(2, 1_000_000), "Values of a stream"),
    Setting("sines", \.sines, .within(1, 100), "Sines of the sum"),
    Setting("noise", \.noise, .within(0.001, 1000), "Standard deviation of the noise; the sum's is 1"),
    Setting("missing", \.missing, .within(0, 0.99), "Share of values that are missing"),
  ]
  package static let loss = StatedLoss.squaredError

  package var streams = 5000
  /// The values of a stream, the last of which is only a target.
  package var length = 200
  /// The sines of the sum.
  package var sines = 2
  /// The standard deviation of the noise.
  package var noise = 0.2
  /// The share of values that are missing.
  package var missing = 0.3

  package init() {}

  package var tracks: [TrackRole: TrackDescription] {
    get throws { [.input: try .frames("value", "present"), .target: try .frames("next value")] }
  }

  /// The sines of a dataset: they turn without fading, and one number of each pair is seen.
  package func dynamics(_ random: inout RandomStream) -> LinearDynamics {
    let scale = 1 / Double(sines).squareRoot()
    return LinearDynamics(
      damping: 1, angles: (0..<sines).map { _ in 0.1 + 0.9 * random.uniform() },
      readout: [(0..<2 * sines).map { $0 % 2 == 0 ? scale : 0 }], noise: noise)
  }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    let dynamics = dynamics(&random)
    return { random in
      let values = dynamics.draw(length, &random)
      let present: [Float] = values.map { _ in random.uniform() < missing ? 0 : 1 }
      let predictions = dynamics.predictions(of: values) { present[$0] == 1 }
      let errors = values.indices.dropFirst().map { place -> Double in
        let error = Double(values[place]) - predictions[place].mean
        return present[place] == 1 ? error * error : 0
      }
      return SyntheticStream(
        input: .frames(zip(values, present).dropLast().flatMap { [$0 * $1, $1] }),
        target: .frames(Array(zip(values, present).dropFirst().map { $0 * $1 })),
        weights: Array(present.dropFirst()), floor: errors.reduce(0, +))
    }
  }
}
