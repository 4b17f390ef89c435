import Chunks
import Glibc
import Random
import Settings

/// What is seen of a linear dynamical system, to be predicted frame by frame.
///
/// The system is drawn once for the dataset; see `LinearDynamics`. The floor is that of the Kalman filter, which
/// knows it: minus the mean logarithm of the density of each frame after the first, given those before it, its
/// columns taken one by one, as a mean and a variance for each column state them.
package struct LinearSystem: StreamTask {
  package static let name = "lds"
  package static let abstract = "What is seen of a linear system, with the likelihood of its Kalman filter."
  package static let sizes: [Setting<LinearSystem>] = [
    .streams, Setting("length", \.length, .within(2, 1_000_000), "Frames of a stream"),
    Setting("pairs", \.pairs, .within(1, 100), "Pairs of hidden numbers, each turning at its own rate"),
    Setting("columns", \.columns, .within(1, 1000), "Numbers of a frame"),
    Setting("damping", \.damping, .within(0, 1), "By how much the hidden numbers fade at each step"),
    Setting("noise", \.noise, .within(0.001, 1000), "Standard deviation of the noise of what is seen"),
  ]
  package static let loss = StatedLoss.gaussian

  package var streams = 5000
  /// The frames of a stream.
  package var length = 200
  /// The pairs of hidden numbers.
  package var pairs = 2
  /// The numbers of a frame.
  package var columns = 2
  /// By how much the hidden numbers fade at each step.
  package var damping = 0.98
  /// The standard deviation of the noise of what is seen.
  package var noise = 0.5

  package init() {}

  package var tracks: [TrackRole: TrackDescription] {
    get throws { [.input: .frames(try FrameColumns((0..<columns).map { "y\($0)" }))] }
  }

  /// The system of a dataset; what is seen has, without its noise, variance 1 on average.
  package func dynamics(_ random: inout RandomStream) -> LinearDynamics {
    let angles = (0..<pairs).map { _ in 0.1 + 0.9 * random.uniform() }
    let scale = 1 / Double(2 * pairs).squareRoot()
    let readout = (0..<columns).map { _ in (0..<2 * pairs).map { _ in scale * random.normal() } }
    return LinearDynamics(damping: damping, angles: angles, readout: readout, noise: noise)
  }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    let dynamics = dynamics(&random)
    return { random in
      let frames = dynamics.draw(length, &random)
      let nats = zip(frames, dynamics.predictions(of: frames)).dropFirst(columns).reduce(0) {
        let (mean, variance) = $1.1
        let error = Double($1.0) - mean
        return $0 + (log(2 * .pi * variance) + error * error / variance) / 2
      }
      return SyntheticStream(input: .frames(frames), floor: nats)
    }
  }
}
