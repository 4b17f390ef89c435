import Chunks
import Glibc
import Random
import Sequences
import Testing

/// Optima that are computed by a filter, computed again in another way.
@Suite struct StatedOptimumTests {
  /// The mean over a split's streams of what `nats` says of each, by the targets of all.
  private func mean(
    _ content: DatasetContent, _ split: String, targets: Int, _ nats: (Int) throws -> Double
  ) throws -> Double {
    let streams = try content.streams(split)
    return try streams.reduce(0) { try $0 + nats($1) } / Double(streams.count * targets)
  }

  /// Over all paths through the hidden states.
  @Test func `the floor of a hidden Markov model is that of all its paths`() throws {
    let task = try HiddenMarkov(sizes: ["streams=60", "length=6", "states=3", "symbols=4"])
    let content = try task.content(seed: 2, command: "a test")
    var shared = HiddenMarkov.shared(seed: 2)
    let model = task.model(&shared)

    func probability(_ tokens: ArraySlice<Int>) -> Double {
      let paths = Int(pow(3, Double(tokens.count)))
      return (0..<paths).reduce(0) { sum, number in
        var (rest, probability, before) = (number, 1.0 / 3, Int?.none)
        for token in tokens {
          let state = rest % 3
          rest /= 3
          if let before { probability *= model.transitions[before].probabilities[state] }
          probability *= model.emissions[state].probabilities[token]
          before = state
        }
        return sum + probability
      }
    }
    let streams = content.tokens(.input)
    for split in content.splits {
      let expected = try mean(content, split.name, targets: 5) { stream in
        let tokens = streams[stream]
        return -log(probability(tokens[...]) / probability(tokens.prefix(1)))
      }
      #expect(abs(try content.bound("floor", split.name) - expected) < 1e-10)
    }
  }

  @Test func `the floor of classes is that of their posterior probabilities`() throws {
    let task = try Classes(sizes: ["streams=60", "length=12", "symbols=3", "classes=4"])
    let content = try task.content(seed: 3, command: "a test")
    var shared = Classes.shared(seed: 3)
    let chains = task.chains(&shared)
    let streams = content.tokens(.input)
    for split in content.splits {
      let expected = try mean(content, split.name, targets: 1) { stream in
        let likelihoods = chains.map { chain in
          zip(streams[stream], streams[stream].dropFirst()).reduce(1) {
            $0 * chain[$1.0].probabilities[$1.1]
          }
        }
        let label = try #require(content.tokens(.target)[stream].last)
        return -log(likelihoods[label] / likelihoods.reduce(0, +))
      }
      #expect(abs(try content.bound("floor", split.name) - expected) < 1e-10)
      #expect(content.weights.allSatisfy { $0.reduce(0, +) == 1 && $0.last == 1 })
    }
  }

  /// The chain rule over the joint normal density of a whole stream.
  @Test func `the floor of a linear system is its joint density`() throws {
    let task = try LinearSystem(sizes: ["streams=40", "length=9", "pairs=2", "columns=1", "damping=0.9"])
    let content = try task.content(seed: 4, command: "a test")
    var shared = LinearSystem.shared(seed: 4)
    let normal = JointNormal(task.dynamics(&shared))
    let streams = content.frames(.input).map { $0.map { Double($0) } }
    for split in content.splits {
      let expected = try mean(content, split.name, targets: 8) { stream in
        normal.logDensity(Array(streams[stream].prefix(1))) - normal.logDensity(streams[stream])
      }
      #expect(abs(try content.bound("floor", split.name) - expected) < 1e-9)
    }
  }

  /// Each column by itself, as the objective has it, given all columns of the frames before.
  @Test func `the floor of several columns takes them one by one`() throws {
    let task = try LinearSystem(sizes: ["streams=40", "length=7", "pairs=1", "columns=3", "damping=0.8"])
    let content = try task.content(seed: 5, command: "a test")
    var shared = LinearSystem.shared(seed: 5)
    let normal = JointNormal(task.dynamics(&shared))
    let streams = content.frames(.input).map { $0.map { Double($0) } }
    for split in content.splits {
      let expected = try mean(content, split.name, targets: 6) { stream in
        (3..<21).reduce(0) { nats, place in
          let known = Array(0..<place / 3 * 3)
          let (mean, variance) = normal.expectation(of: place, from: known, streams[stream])
          let error = streams[stream][place] - mean
          return nats + log(2 * .pi * variance) / 2 + error * error / (2 * variance)
        }
      }
      #expect(abs(try content.bound("floor", split.name) - expected) < 1e-9)
    }
  }

  @Test(arguments: [0.0, 0.3])
  func `the floor of sines is the error of the best linear prediction`(_ missing: Double) throws {
    let task = try Sines(sizes: ["streams=40", "length=12", "missing=\(missing)"])
    let content = try task.content(seed: 6, command: "a test")
    var shared = Sines.shared(seed: 6)
    let normal = JointNormal(task.dynamics(&shared))
    var missed = 0
    for split in content.splits {
      var (errors, weight) = (0.0, 0.0)
      for stream in try content.streams(split.name) {
        let (input, target) = (content.frames(.input)[stream], content.frames(.target)[stream])
        let isPresent = [input[1] == 1] + content.weights[stream].map { $0 == 1 }
        let values = [Double(input[0])] + target.map { Double($0) }
        missed += isPresent.count { !$0 }
        for place in 1..<values.count where isPresent[place] {
          let known = (0..<place).filter { isPresent[$0] }
          let error = values[place] - normal.expectation(of: place, from: known, values).mean
          errors += error * error
          weight += 1
        }
        // What the model reads is what it was asked for a position before.
        #expect((1..<target.count).allSatisfy { input[2 * $0] == target[$0 - 1] })
        #expect((1..<target.count).allSatisfy { input[2 * $0 + 1] == content.weights[stream][$0 - 1] })
        #expect(zip(values, isPresent).allSatisfy { $1 || $0 == 0 })
      }
      #expect(abs(try content.bound("floor", split.name) - errors / weight) < 1e-6)
    }
    #expect(abs(Double(missed) / 480 - missing) < 0.07)
  }
}

/// The joint normal distribution of what is seen of a linear system, from its covariances.
private struct JointNormal {
  let dynamics: LinearDynamics

  init(_ dynamics: LinearDynamics) { self.dynamics = dynamics }

  /// Of two numbers of a stream: by turning what the earlier one sees of the hidden numbers.
  private func covariance(_ a: Int, _ b: Int) -> Double {
    let columns = dynamics.readout.count
    let (earlier, later) = (min(a, b), max(a, b))
    let steps = Double(later / columns - earlier / columns)
    let (first, second) = (dynamics.readout[earlier % columns], dynamics.readout[later % columns])
    let seen = dynamics.angles.enumerated().reduce(0.0) { sum, pair in
      let (x, y) = (first[2 * pair.offset], first[2 * pair.offset + 1])
      let (cosine, sine) = (cos(steps * pair.element), sin(steps * pair.element))
      return sum + second[2 * pair.offset] * (cosine * x - sine * y)
        + second[2 * pair.offset + 1] * (sine * x + cosine * y)
    }
    return pow(dynamics.damping, steps) * seen + (a == b ? dynamics.noise * dynamics.noise : 0)
  }

  /// The lower triangle whose product with its transpose is the covariance of these numbers (Cholesky).
  private func root(_ places: [Int]) -> [[Double]] {
    var root: [[Double]] = []
    for (i, place) in places.enumerated() {
      var row: [Double] = []
      for j in 0...i {
        let rest = (0..<j).reduce(covariance(place, places[j])) {
          $0 - row[$1] * (j == i ? row : root[j])[$1]
        }
        row.append(j == i ? rest.squareRoot() : rest / root[j][j])
      }
      root.append(row)
    }
    return root
  }

  /// The inverse of the root, times a vector.
  private func solve(_ root: [[Double]], _ vector: [Double]) -> [Double] {
    vector.indices.reduce(into: []) { solution, i in
      solution.append((0..<i).reduce(vector[i]) { $0 - root[i][$1] * solution[$1] } / root[i][i])
    }
  }

  func logDensity(_ values: [Double]) -> Double {
    let root = root(Array(values.indices))
    let white = solve(root, values)
    return -values.indices.reduce(0) {
      $0 + log(root[$1][$1]) + white[$1] * white[$1] / 2 + log(2 * .pi) / 2
    }
  }

  func expectation(of place: Int, from known: [Int], _ values: [Double]) -> (mean: Double, variance: Double) {
    let root = root(known)
    let white = solve(root, known.map { values[$0] })
    let spread = solve(root, known.map { covariance($0, place) })
    return (
      zip(white, spread).reduce(0) { $0 + $1.0 * $1.1 },
      spread.reduce(covariance(place, place)) { $0 - $1 * $1 }
    )
  }
}

/// Equations that are integrated, integrated again in another way.
@Suite struct ChaosTests {
  /// By Heun's method in very small steps.
  @Test func `Mackey and Glass's equation is solved`() {
    let steps = 1000
    let lag = 17 * steps
    var values = [Double](repeating: 1.2, count: lag + 1)
    func slope(_ x: Double, _ delayed: Double) -> Double {
      0.2 * delayed / (1 + pow(delayed, 10)) - 0.1 * x
    }
    for now in lag..<lag + 80 * steps {
      let first = slope(values[now], values[now - lag])
      let guess = values[now] + first / Double(steps)
      values.append(values[now] + (first + slope(guess, values[now - lag + 1])) / Double(2 * steps))
    }
    let solution = MackeyGlass.solution(from: 1.2, delay: 17, units: 80)
    #expect(solution.count == 81)
    for (time, value) in solution.enumerated() {
      #expect(abs(value - values[lag + time * steps]) < 1e-4, "at \(time)")
    }
  }

  @Test func `streams of Mackey and Glass lie on the attractor`() throws {
    let content = try MackeyGlass(sizes: ["length=3000"]).content(seed: 1, command: "a test")
    let streams = content.frames(.input)
    #expect(streams.allSatisfy { $0.allSatisfy { (0.2...1.4).contains($0) } })
    #expect(Set(streams.map { $0[0] }).count == 40)
    guard case .frames(let columns) = content.description.input else { return #expect(Bool(false)) }
    #expect(abs(columns.means[0] - 0.93) < 0.03 && abs(columns.scales[0] - 0.23) < 0.03)
    #expect(abs((content.splits[0].trivial ?? 0) - 1) < 0.01)
  }

  /// By the Taylor series of the flow.
  @Test func `Lorenz's flow is followed`() throws {
    func moved(_ start: [Double], by time: Double) -> [Double] {
      let steps = 200
      var place = start
      for _ in 0..<steps {
        var (x, y, z) = ([place[0]], [place[1]], [place[2]])
        for n in 0..<12 {
          let products = (0...n).reduce((0.0, 0.0)) { ($0.0 + x[$1] * z[n - $1], $0.1 + x[$1] * y[n - $1]) }
          x.append(10 * (y[n] - x[n]) / Double(n + 1))
          y.append((28 * x[n] - products.0 - y[n]) / Double(n + 1))
          z.append((products.1 - 8 * z[n] / 3) / Double(n + 1))
        }
        place = [x, y, z].map { series in
          series.reversed().reduce(0) { $0 * time / Double(steps) + $1 }
        }
      }
      return place
    }
    let content = try Lorenz(sizes: ["length=30", "interval=0.2"]).content(seed: 1, command: "a test")
    for frames in content.frames(.input) {
      for first in stride(from: 0, to: 29 * 3, by: 3) {
        let next = moved((0..<3).map { Double(frames[first + $0]) }, by: 0.2)
        for axis in 0..<3 { #expect(abs(next[axis] - Double(frames[first + 3 + axis])) < 1e-3) }
      }
      #expect((0..<30).allSatisfy { abs(frames[3 * $0]) < 25 && (0...60).contains(frames[3 * $0 + 2]) })
    }
  }
}
