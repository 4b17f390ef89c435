import Chunks
import Random
import Settings

/// The chaotic flow of Lorenz (1963), x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z, seen at intervals, to
/// be predicted frame by frame.
package struct Lorenz: StreamTask {
  package static let name = "lorenz"
  package static let abstract = "The chaotic flow of Lorenz, to be predicted."
  package static let sizes: [Setting<Lorenz>] = [
    .streams, Setting("length", \.length, .within(2, 1_000_000), "Frames of a stream"),
    Setting("interval", \.interval, .within(0.001, 10), "Time between two frames"),
  ]
  package static let loss = StatedLoss.squaredError
  package static let isNormalized = true

  package var streams = 40
  /// The frames of a stream.
  package var length = 2000
  /// The time between two frames.
  package var interval = 0.05

  package init() {}

  package var tracks: [TrackRole: TrackDescription] { get throws { [.input: try .frames("x", "y", "z")] } }

  /// The longest step of the integration.
  private static let step = 0.005
  /// The time before a stream begins, after which a solution is near its attractor.
  private static let settling = 30.0

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    { random in
      var place = SIMD4(random.normal(), random.normal(), 25 + random.normal(), 0)
      place = Self.moved(place, by: Self.settling)
      var frames: [Float] = []
      for _ in 0..<length {
        for axis in 0..<3 { frames.append(Float(place[axis])) }
        place = Self.moved(place, by: interval)
      }
      return SyntheticStream(input: .frames(frames))
    }
  }

  /// Where the flow takes a point (x, y, z, 0) in some time: by the classic Runge-Kutta method of fourth order.
  package static func moved(_ start: SIMD4<Double>, by time: Double) -> SIMD4<Double> {
    let count = Int((time / step).rounded(.up))
    let step = time / Double(count)
    var place = start
    for _ in 0..<count {
      let first = velocity(place)
      let second = velocity(place + step / 2 * first)
      let third = velocity(place + step / 2 * second)
      let fourth = velocity(place + step * third)
      place += step / 6 * (first + 2 * second + 2 * third + fourth)
    }
    return place
  }

  private static func velocity(_ p: SIMD4<Double>) -> SIMD4<Double> {
    SIMD4(10 * (p.y - p.x), p.x * (28 - p.z) - p.y, p.x * p.y - 8.0 / 3 * p.z, 0)
  }
}
