import Chunks
import Core
import Evaluation
import Glibc
import Random
import Testing

/// What a model predicted of a run of chunks, position by position, beside the targets.
private struct Judged {
  struct Position {
    let lane: Int
    let weight: Double
    let isReset: Bool
    /// Units, or the number of a token.
    let target: [Double]
    let prediction: [Double]
    let unitWeights: [Double]
  }

  let metrics: Metrics
  /// The rows of sums that the metrics came from, for each tally.
  let rows: [[Double]]
  /// Chunk by chunk, step by step.
  let positions: [Position]

  private static let (steps, chunks, units) = (7, 5, 3)

  /// Runs a model with random weights over random chunks of some lanes; `others` are the rows of lanes before them.
  init(
    objective: String, tracks: TrackSet, _ description: TargetDescription, lanes: Range<Int>,
    others: [[Double]]? = nil
  ) throws {
    var configuration = ModelConfiguration()
    (configuration.cell, configuration.layers, configuration.hidden, configuration.embedding) = (
      "gru", 1, 6, 4
    )
    configuration.objective = try #require(ObjectiveChoice(rawValue: objective))
    try configuration.check(tracks)
    let memory = ParameterMemory(layout: Blueprint(configuration, tracks: tracks).layout, shards: 0)
    var random = RandomStream(RandomKey(seed: 3, purpose: .synthesis))
    for index in 0..<memory.layout.count { memory.weights[index] = Float(3 * random.uniform() - 1.5) }
    let shape = ChunkShape(steps: Self.steps, shards: 1, lanesPerShard: lanes.count)
    let model = Model(configuration, tracks: tracks, memory: memory, shape: shape, precision: .float32)
    let sums = MeasureSums(MeasureSet(configuration, tracks: tracks, description), model)
    let chunk = Chunk(steps: Self.steps, lanes: lanes.count, tracks: tracks)
    var positions: [Position] = []
    for number in 0..<Self.chunks {
      for t in 0..<Self.steps {
        for (column, lane) in lanes.enumerated() {
          Self.fill(chunk, row: t * lanes.count + column, place: (number, t, lane))
        }
      }
      model.evaluate(chunk)
      sums.add(chunk)
      for row in 0..<chunk.rows {
        positions.append(Self.position(chunk, model, row, lane: lanes.lowerBound + row % lanes.count))
      }
    }
    var (rows, tally) = ([[Double]](), 0)
    metrics = sums.conclude { own, _, _ in
      rows.append(own)
      defer { tally += 1 }
      return (others?[tally] ?? []) + own
    }
    self.rows = rows
    self.positions = positions
  }

  private static func fill(_ chunk: Chunk, row: Int, place: (chunk: Int, step: Int, lane: Int)) {
    var random = RandomStream(
      RandomKey(seed: 9, purpose: .synthesis),
      at: (UInt32(place.chunk), UInt32(place.step), UInt32(place.lane)))
    for column in 0..<units { chunk.frames(.input)[row][column] = Float(4 * random.uniform() - 2) }
    switch chunk.tracks[.target] {
    case .tokens(let count): chunk.tokens(.target)[row] = Int32(random.below(count))
    default:
      for unit in 0..<units {
        chunk.frames(.target)[row][unit] =
          chunk.tracks.hasBinaryTargets ? Float(random.below(2)) : Float(random.uniform() - 0.5)
        guard chunk.tracks[.weight] != nil else { continue }
        chunk.frames(.weight)[row][unit] = [0, 1, 1, 0.5][random.below(4)]
      }
    }
    chunk.weights[row] = [1, 1, 1, 0.5, 0][random.below(5)]
    chunk.resets[row] = place.chunk + place.step == 0 || random.below(6) == 0 ? 1 : 0
  }

  private static func position(_ chunk: Chunk, _ model: Model, _ row: Int, lane: Int) -> Position {
    var (target, prediction) = ([Double](), [Double]())
    for record in model.records where record.name == "prediction" {
      switch record.values {
      case .integers(let values):
        (target, prediction) = ([Double(chunk.tokens(.target)[row])], [Double(values[row])])
      case .floats(let values):
        target = (0..<units).map { Double(chunk.frames(.target)[row][$0]) }
        prediction = (0..<units).map { Double(values[row * units + $0]) }
      default: break
      }
    }
    let unitWeights = (0..<units).map {
      chunk.tracks[.weight] == nil ? 1 : Double(chunk.frames(.weight)[row][$0])
    }
    return Position(
      lane: lane, weight: Double(chunk.weights[row]), isReset: chunk.resets[row] != 0, target: target,
      prediction: prediction, unitWeights: unitWeights)
  }
}

@Suite struct MeasureTests {
  private static let tags = ["O", "B-PER", "I-PER", "I-LOC", "B-LOC"]

  private static func tracks(_ target: TrackKind, isBinary: Bool = false, hasWeights: Bool = false)
    -> TrackSet
  {
    var kinds: [TrackRole: TrackKind] = [.input: .frames(width: 3), .target: target]
    if hasWeights { kinds[.weight] = target }
    return TrackSet(kinds, hasBinaryTargets: isBinary)
  }

  private func judgeTags() throws -> Judged {
    try Judged(
      objective: "cross_entropy", tracks: Self.tracks(.tokens(count: 5)),
      TargetDescription(labels: Self.tags),
      lanes: 0..<4)
  }

  private func expectNear(
    _ found: Double?, _ expected: Double, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let found = try #require(found, sourceLocation: sourceLocation)
    #expect(abs(found - expected) < 1e-9 * max(1, abs(expected)), sourceLocation: sourceLocation)
  }

  @Test func `labels are counted one by one`() throws {
    let judged = try judgeTags()
    let counted = judged.positions.filter { $0.weight > 0 }
    let pairs = counted.map { (target: Int($0.target[0]), prediction: Int($0.prediction[0])) }
    var f1 = 0.0
    for (label, score) in judged.metrics.labels.enumerated() {
      let right = Double(pairs.count { $0.target == label && $0.prediction == label })
      let (targets, predicted) = (
        pairs.count { $0.target == label }, pairs.count { $0.prediction == label }
      )
      #expect(score.name == Self.tags[label] && score.targets == targets && score.predicted == predicted)
      let (precision, recall) = (predicted == 0 ? 0 : right / Double(predicted), right / Double(targets))
      try expectNear(score.precision, precision)
      try expectNear(score.recall, recall)
      let own = right == 0 ? 0 : 2 * precision * recall / (precision + recall)
      try expectNear(score.f1, own)
      f1 += own / 5
      for other in 0..<5 {
        #expect(
          judged.metrics.confusion[label][other]
            == pairs.count { $0.target == label && $0.prediction == other })
      }
    }
    try expectNear(judged.metrics[.f1Macro], f1)
    try expectNear(
      judged.metrics[.accuracy], Double(pairs.count { $0.target == $0.prediction }) / Double(pairs.count))
    #expect(judged.metrics.targets == pairs.count && judged.metrics.correct ?? 0 > 10)
  }

  /// As sets of (stream, type, beginning, end), which conlleval's counts come to.
  @Test func `whole entities are counted as conlleval does`() throws {
    let judged = try judgeTags()
    func entities(_ label: (Judged.Position) -> Double) -> Set<[String]> {
      var found: Set<[String]> = []
      for lane in 0..<4 {
        var open: [String] = []
        var last = "O"
        for (place, position) in judged.positions.filter({ $0.lane == lane }).enumerated() {
          let tag = position.weight > 0 ? Self.tags[Int(label(position))] : "O"
          if position.isReset { last = "O" }
          let goesOn = tag.hasPrefix("I-") && last.dropFirst(2) == tag.dropFirst(2)
          if !goesOn && !open.isEmpty {
            found.insert(open)
            open = []
          }
          if goesOn {
            open.append("\(place)")
          } else if tag != "O" {
            open = ["\(lane)", "\(tag.dropFirst(2))", "\(place)"]
          }
          last = tag
        }
        if !open.isEmpty { found.insert(open) }
      }
      return found
    }
    let (targets, predicted) = (entities { $0.target[0] }, entities { $0.prediction[0] })
    let right = Double(targets.intersection(predicted).count)
    #expect(right > 2)
    try expectNear(judged.metrics[.precisionEntities], right / Double(predicted.count))
    try expectNear(judged.metrics[.recallEntities], right / Double(targets.count))
    try expectNear(judged.metrics[.f1Entities], 2 * right / Double(predicted.count + targets.count))
  }

  @Test(arguments: ["squared_error", "gaussian"], [false, true])
  func `errors are those of the data's units`(_ objective: String, _ hasWeights: Bool) throws {
    let units = [(0.5, 2.0), (-3, 0.25), (100, 10)].enumerated().map { index, of in
      TargetDescription.Unit(name: "u\(index)", unit: "m", mean: of.0, scale: of.1)
    }
    let judged = try Judged(
      objective: objective, tracks: Self.tracks(.frames(width: 3), hasWeights: hasWeights),
      TargetDescription(units: units), lanes: 0..<4)
    var all = (weight: 0.0, squares: 0.0, sizes: 0.0, variation: 0.0, r2: 0.0, corr: 0.0, logs: 0.0)
    for (index, unit) in units.enumerated() {
      let rows = judged.positions.map { position in
        (
          w: position.weight * position.unitWeights[index],
          t: unit.mean + unit.scale * position.target[index],
          p: unit.mean + unit.scale * position.prediction[index]
        )
      }
      let weight = rows.reduce(0) { $0 + $1.w }
      func mean(_ value: (Double, Double) -> Double) -> Double {
        rows.reduce(0) { $0 + $1.w * value($1.t, $1.p) } / weight
      }
      let (t, p) = (mean { t, _ in t }, mean { _, p in p })
      let (mse, mae) = (mean { pow($0 - $1, 2) }, mean { abs($0 - $1) })
      let (varianceT, varianceP) = (mean { a, _ in pow(a - t, 2) }, mean { _, b in pow(b - p, 2) })
      let r2 = 1 - mse / varianceT
      let corr = mean { ($0 - t) * ($1 - p) } / (varianceT * varianceP).squareRoot()
      let score = judged.metrics.units[index]
      #expect(score.name == unit.name)
      try expectNear(score.mse, mse)
      try expectNear(score.mae, mae)
      try expectNear(score.r2, r2)
      try expectNear(score.corr, corr)
      all.weight += weight
      all.squares += weight * mse
      all.sizes += weight * mae
      all.variation += weight * varianceT
      all.r2 += r2 / 3
      all.corr += corr / 3
      all.logs += weight * log(unit.scale)
    }
    try expectNear(judged.metrics[.mse], all.squares / all.weight)
    try expectNear(judged.metrics[.mae], all.sizes / all.weight)
    try expectNear(judged.metrics[.r2], all.r2)
    try expectNear(judged.metrics[.corr], all.corr)
    try expectNear(judged.metrics[.rse], all.squares / all.variation)
    let positions = judged.positions.reduce(0) { $0 + $1.weight }
    if objective == "gaussian" {
      try expectNear(judged.metrics[.nll], judged.metrics.loss + all.logs / positions)
    } else {
      #expect(judged.metrics[.nll] == nil)
    }
    #expect(judged.metrics[.accuracy] == nil && judged.metrics[.perplexity] == nil)
  }

  @Test func `binary units are counted on the side of a half`() throws {
    let judged = try Judged(
      objective: "bernoulli", tracks: Self.tracks(.frames(width: 3), isBinary: true, hasWeights: true),
      TargetDescription(), lanes: 0..<4)
    var (right, all) = (0.0, 0.0)
    for position in judged.positions where position.weight > 0 {
      for unit in 0..<3 where position.unitWeights[unit] > 0 {
        all += 1
        right += (position.prediction[unit] > 0.5) == (position.target[unit] == 1) ? 1 : 0
      }
    }
    try expectNear(judged.metrics[.accuracy], right / all)
    #expect(judged.metrics[.nll] == judged.metrics.loss && judged.metrics[.mse] == nil)
  }

  @Test(arguments: [
    ("cross_entropy", TrackKind.tokens(count: 5)), ("gaussian", .frames(width: 3)),
  ])
  func `the bits of all measures are the same however lanes are spread`(
    _ objective: String, _ target: TrackKind
  ) throws {
    let description = TargetDescription(labels: objective == "gaussian" ? [] : Self.tags)
    func judge(_ lanes: Range<Int>, _ others: [[Double]]? = nil) throws -> Judged {
      try Judged(
        objective: objective, tracks: Self.tracks(target), description, lanes: lanes, others: others)
    }
    let whole = try judge(0..<4).metrics
    let (first, second) = (try judge(0..<1), try judge(1..<2))
    let before = zip(first.rows, second.rows).map { $0 + $1 }
    #expect(try judge(2..<4, before).metrics == whole)
    #expect(whole.values.count > 5)
  }

  @Test func `better is less or more, as the measure has it`() {
    #expect(Measure.loss.isBetter(1, than: .infinity) && Measure.loss.isBetter(-2, than: -1))
    #expect(!Measure.loss.isBetter(2, than: 1) && !Measure.loss.isBetter(1, than: 1))
    #expect(Measure.f1Macro.isBetter(0.1, than: .infinity) && Measure.f1Macro.isBetter(0.2, than: 0.1))
    #expect(!Measure.r2.isBetter(0.1, than: 0.2) && !Measure.r2.isBetter(.nan, than: .infinity))
  }
}
