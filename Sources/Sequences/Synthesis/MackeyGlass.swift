import Chunks
import Random
import Settings

/// The delay equation of Mackey and Glass (1977), x' = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x, seen once a
/// unit of time, to be predicted value by value; with a delay of 17 its solutions are chaotic.
package struct MackeyGlass: StreamTask {
  package static let name = "mackey-glass"
  package static let abstract = "The chaotic delay equation of Mackey and Glass, to be predicted."
  package static let sizes: [Setting<MackeyGlass>] = [
    .streams, Setting("length", \.length, .within(2, 1_000_000), "Values of a stream"),
    Setting("delay", \.delay, .within(1, 1000), "Delay of the equation, in units of time"),
  ]
  package static let loss = StatedLoss.squaredError
  package static let isNormalized = true

  package var streams = 40
  /// The values of a stream.
  package var length = 2000
  /// The delay, in units of time.
  package var delay = 17

  package init() {}

  package var tracks: [TrackRole: TrackDescription] { get throws { [.input: try .frames("x")] } }

  /// The steps of the integration in a unit of time.
  private static let resolution = 10
  /// The units of time before a stream begins, after which a solution is near its attractor.
  private static let settling = 500

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    { random in
      let values = Self.solution(
        from: 0.5 + random.uniform(), delay: delay, units: Self.settling + length - 1)
      return SyntheticStream(input: .frames(values.suffix(length).map { Float($0) }))
    }
  }

  /// The solution at 0, 1, ... `units`, that was constant before: by the classic Runge-Kutta method of fourth order.
  package static func solution(from start: Double, delay: Int, units: Int) -> [Double] {
    let step = 1 / Double(resolution)
    let lag = delay * resolution
    var values = [Double](repeating: start, count: lag + 1)
    // Before 0 the solution does not change.
    var slopes = [Double](repeating: 0, count: lag)
    for now in lag..<lag + units * resolution {
      let (first, last) = (values[now - lag], values[now - lag + 1])
      let slope = Self.slope(values[now], delayed: first)
      slopes.append(slope)
      // The cubic through both ends with their slopes (Hermite) keeps the order in the middle of the step.
      let middle =
        (first + last) / 2 + step / 8 * (slopes[now - lag] - slopes[now - lag + 1])
      let second = Self.slope(values[now] + step / 2 * slope, delayed: middle)
      let third = Self.slope(values[now] + step / 2 * second, delayed: middle)
      let fourth = Self.slope(values[now] + step * third, delayed: last)
      values.append(values[now] + step / 6 * (slope + 2 * second + 2 * third + fourth))
    }
    return stride(from: lag, to: values.count, by: resolution).map { values[$0] }
  }

  private static func slope(_ x: Double, delayed: Double) -> Double {
    let square = delayed * delayed
    let fourth = square * square
    return 0.2 * delayed / (1 + fourth * fourth * square) - 0.1 * x
  }
}
