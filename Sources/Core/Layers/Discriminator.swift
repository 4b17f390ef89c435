import Chunks
import Glibc
import Settings

/// What tells apart whether a model reads true inputs or what it draws itself, for professor forcing.
package struct DiscriminatorOptions: Sendable, Equatable {
  /// The units of its layer in each direction; 0 for none.
  package var hidden = 0
  /// What the model's loss of being told apart counts, beside its own.
  package var weight = 1.0

  /// The defaults.
  package init() {}

  /// Its settings.
  package static let settings: [Setting<DiscriminatorOptions>] = [
    Setting(
      "hidden", \.hidden, .within(0, 65_536),
      "Professor forcing: width of the network that tells a model that reads true inputs from one that reads what it "
        + "draws; 0: none", synonyms: "professor professorforcing"),
    Setting(
      "weight", \.weight, .within(0, 1e6),
      "Professor forcing: what the model's loss of being told apart counts beside its own"),
  ]
}

/// The discriminator of professor forcing (Lamb et al. 2016): says of each lane whether the model's last outputs h came of
/// true inputs, or of those that it has drawn itself.
///
///     g = GRU(h) in both directions     z = mean over positions of (g weight^T + bias)     p(true) = sigmoid(z)
///
/// Its own loss is -log p where inputs are true, and -log(1 - p) where they are drawn. There the model has the loss
/// -weight log p, whose gradient takes the place of the discriminator's own on the way back to h. Each lane's losses count
/// as its targets do. Parameters are called `discriminator.`.
package final class Discriminator {
  /// Whether the model has drawn the chunk's inputs itself.
  var readsDrawnInputs = false

  private let verdict: Verdict

  /// Adds it to a model, as a reader of its last outputs.
  init(_ builder: Builder, _ configuration: ModelConfiguration, reading hidden: Signal) {
    let verdict = Verdict(lanes: builder.shape.lanes, weight: configuration.discriminator.weight)
    self.verdict = verdict
    builder.within("discriminator") {
      let h = AdversarialGradient(builder, reading: hidden, factors: verdict.factors).output
      var layer = ModelConfiguration()
      (layer.hidden, layer.initialState) = (configuration.discriminator.hidden, .zero)
      layer.initialization = configuration.initialization
      let directions = [Direction.forward, .reverse].map {
        GRUCell.add(to: builder, layer, layer: 0, reading: .signal(h), direction: $0)
      }
      let g = Concatenation(builder, name: "directions", reading: directions).output
      let initializer = Initializer.weights(
        layer.initialization.input, outputs: 1, inputs: g.value.columns, blocks: 1, hidden: layer.hidden)
      let scores = Linear(builder, name: "score", reading: g, outputs: 1, initializer: initializer).output
      builder.add(Judge(builder, reading: scores, verdict, of: self))
    }
  }

  /// Of a lane: the losses of the discriminator, in both passes over a chunk, and of the model, in that over drawn inputs;
  /// each multiplied by the weight of the lane's targets.
  package func losses(lane: Int) -> (own: Double, model: Double) {
    (verdict.losses.base[2 * lane], verdict.losses.base[2 * lane + 1])
  }
}

/// What the discriminator says of each lane.
private final class Verdict {
  /// z. [B]
  let scores: Buffer<Double>
  /// What the gradient that goes back to the model is multiplied by. [B]
  let factors: Buffer<Float>
  /// The discriminator's and the model's. [B, 2]
  let losses: Buffer<Double>
  let weight: Double

  init(lanes: Int, weight: Double) {
    scores = Buffer(count: lanes)
    factors = Buffer(count: lanes)
    losses = Buffer(count: 2 * lanes)
    self.weight = weight
  }
}

/// The same values; going back, each lane's gradient is multiplied by a factor.
private final class AdversarialGradient: Module {
  let output: Signal

  private let sink: Sink?
  private let factors: Buffer<Float>
  private let lanes: Int

  init(_ builder: Builder, reading input: Signal, factors: Buffer<Float>) {
    sink = builder.read(input)
    lanes = builder.shape.lanes
    self.factors = factors
    output = builder.signal("input", value: input.value)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {}

  func backward(_ chunk: Chunk) {
    sink?.write(rows: chunk.rows) { part in
      for row in 0..<chunk.rows {
        let (own, factor) = (output.gradient[row], factors.base[row % lanes])
        for column in 0..<part.columns { part[row][column] = factor * own[column] }
      }
    }
  }
}

/// Turns scores into losses and their gradients.
private final class Judge: Module {
  private let scores: Signal
  private let sink: Sink?
  private let verdict: Verdict
  private unowned let discriminator: Discriminator

  init(_ builder: Builder, reading scores: Signal, _ verdict: Verdict, of discriminator: Discriminator) {
    self.scores = scores
    self.verdict = verdict
    self.discriminator = discriminator
    sink = builder.read(scores)
  }

  func forward(_ chunk: Chunk) {
    let isDrawn = discriminator.readsDrawnInputs
    for lane in 0..<chunk.lanes {
      var (sum, weight) = (0.0, 0.0)
      for position in stride(from: lane, to: chunk.rows, by: chunk.lanes) {
        sum += Double(chunk.weights[position]) * Double(scores.value[position][0])
        weight += Double(chunk.weights[position])
      }
      let z = weight > 0 ? sum / weight : 0
      verdict.scores.base[lane] = z
      // -log p and -log(1 - p).
      let (ofTrue, ofDrawn) = (weight * softplus(-z), weight * softplus(z))
      let losses = verdict.losses.base + 2 * lane
      if isDrawn {
        (losses[0], losses[1]) = (ofDrawn, verdict.weight * ofTrue)
      } else {
        losses[0] += ofTrue
      }
      // From the gradient of -log(1 - p), p, to that of -weight log p, which is weight (p - 1). Beyond that p is 0.
      verdict.factors.base[lane] = isDrawn ? Float(-verdict.weight * exp(min(-z, 60))) : 0
    }
  }

  func backward(_ chunk: Chunk) {
    let truth: Double = discriminator.readsDrawnInputs ? 0 : 1
    sink?.write(rows: chunk.rows) { part in
      for row in 0..<chunk.rows {
        let p = 1 / (1 + exp(-verdict.scores.base[row % chunk.lanes]))
        part[row][0] = chunk.weights[row] * Float(p - truth)
      }
    }
  }

  /// log(1 + e^x)
  private func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
}
