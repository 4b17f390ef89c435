import Core
import Glibc
import Testing

/// The weights before training.
@Suite struct InitializerTests {
  /// The weights of a model by name.
  private func weights(
    _ cell: LayerNames, vocabulary: Int = 50, seed: UInt64 = 1,
    configure: (inout ModelConfiguration) -> Void = { _ in }
  ) -> [String: [Float]] {
    var configuration = ModelConfiguration()
    (configuration.cell, configuration.hidden, configuration.embedding) = (cell, 40, 30)
    configure(&configuration)
    let memory = ParameterMemory(
      layout: layout(configuration, vocabulary: vocabulary), shards: 0)
    memory.initialize(seed: seed)
    let named = memory.layout.parameters.map {
      ($0.name, Array(UnsafeBufferPointer(start: memory.weights + $0.offset, count: $0.count)))
    }
    return Dictionary(uniqueKeysWithValues: named)
  }

  /// Expects the rows, or else the columns, of a matrix to be orthonormal.
  private func expectOrthonormal(_ elements: some Sequence<Float>, columns: Int, _ what: String) {
    let matrix = ReferenceParameter(elements: elements.map(Double.init), columns: columns)
    let byRows = matrix.rows <= columns
    let vectors = (0..<min(matrix.rows, columns)).map { index in
      byRows ? matrix.row(index) : Vector((0..<matrix.rows).map { matrix.elements[$0 * columns + index] })
    }
    for i in vectors.indices {
      for j in 0...i {
        #expect(abs((vectors[i] * vectors[j]).sum - (i == j ? 1 : 0)) < 1e-6, "\(what): \(i), \(j)")
      }
    }
  }

  /// The mean and the variance.
  private func moments(_ elements: [Float]) -> (mean: Double, variance: Double) {
    let vector = Vector(elements)
    return (vector.mean, (vector * vector).mean)
  }

  @Test(arguments: ["rnn", "lstm", "gru"] as [LayerNames], [20, 40, 70])
  func `orthogonal matrices are so gate by gate`(_ cell: LayerNames, embedding: Int) throws {
    let weights = weights(cell) {
      ($0.initialization.input, $0.initialization.recurrent) = (.orthogonal, .orthogonal)
      $0.embedding = embedding
    }
    for (name, columns) in [("weight_hh_l0", 40), ("weight_hh_l1", 40), ("weight_ih_l0", embedding)] {
      let elements = try #require(weights["rnn.\(name)"])
      let size = 40 * columns
      for gate in 0..<elements.count / size {
        expectOrthonormal(elements[gate * size..<(gate + 1) * size], columns: columns, "\(name) gate \(gate)")
        if gate > 0 {
          #expect(elements[..<size] != elements[gate * size..<(gate + 1) * size])
        }
      }
    }
    expectOrthonormal(try #require(weights["head.weight"]), columns: 40, "head")
  }

  /// At a size of many blocks of reflections, with a rest.
  @Test(arguments: [(2048, 2048), (300, 1100), (1100, 300)])
  func `large matrices are orthogonal to the last bits`(_ rows: Int, _ columns: Int) {
    var configuration = ModelConfiguration()
    (configuration.cell, configuration.hidden, configuration.layers) = ("rnn", rows, 1)
    (configuration.embedding, configuration.initialization.input) = (columns, .orthogonal)
    let memory = ParameterMemory(layout: layout(configuration, vocabulary: 1), shards: 0)
    memory.initialize(seed: 3)
    guard let parameter = memory.layout["rnn.weight_ih_l0"] else { return #expect(Bool(false), "no weights") }
    let matrix = memory.weights + parameter.offset
    let byRows = rows <= columns
    let (count, length) = byRows ? (rows, columns) : (columns, rows)
    let vectors = (0..<count).map { i in
      (0..<length).map { Double(byRows ? matrix[i * columns + $0] : matrix[$0 * columns + i]) }
    }
    var worst = 0.0
    // Every pair would take minutes: those of 40 vectors with all.
    for i in Set((0..<40).map { $0 * 97 % count } + [0, count - 1]) {
      for j in 0..<count {
        var dot = i == j ? -1.0 : 0
        for k in 0..<length { dot += vectors[i][k] * vectors[j][k] }
        worst = max(worst, abs(dot))
      }
    }
    #expect(worst < 2e-6)
  }

  /// Moments over the group of orthogonal matrices with its uniform measure (Diaconis & Evans 2001). With signs of any
  /// other convention the mean of the trace is not zero.
  @Test func `orthogonal matrices are uniformly distributed`() throws {
    let weights = weights("lstm") { ($0.hidden, $0.embedding, $0.layers) = (4, 4, 1000) }
    var (count, traces, squares, traceOfSquares, fourths) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for layer in 0..<1000 {
      let elements = try #require(weights["rnn.weight_hh_l\(layer)"]).map(Double.init)
      for gate in 0..<4 {
        let q = Array(elements[gate * 16..<gate * 16 + 16])
        let trace = (0..<4).reduce(0.0) { $0 + q[5 * $1] }
        count += 1
        traces += trace
        squares += trace * trace
        for i in 0..<4 { for j in 0..<4 { traceOfSquares += q[4 * i + j] * q[4 * j + i] } }
        for value in q { fourths += value * value * value * value / 16 }
      }
    }
    #expect(abs(traces / count) < 0.08)
    #expect(abs(squares / count - 1) < 0.12)
    #expect(abs(traceOfSquares / count - 1) < 0.12)
    // E q^4 = 3 / (n (n + 2)).
    #expect(abs(fourths / count - 0.125) < 0.004)
  }

  @Test(arguments: [2, 3, 7])
  func `whoever fills the parts, the weights are the same`(_ workers: Int) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.initialState) = (150, 40, .learnt)
    let layout = CoreTests.layout(configuration, vocabulary: 30)
    let (whole, shared) = (
      ParameterMemory(layout: layout, shards: 0), ParameterMemory(layout: layout, shards: 0)
    )
    whole.initialize(seed: 5)
    let hands = layout.initialParts(dealtTo: workers)
    #expect(hands.count == workers && hands.allSatisfy { !$0.isEmpty })
    for parts in hands.reversed() { shared.initialize(parts, seed: 5) }
    #expect((0..<layout.count).allSatisfy { whole.weights[$0] == shared.weights[$0] })
  }

  @Test func `other parameters do not move those of a name`() throws {
    let deep = weights("lstm") { $0.layers = 3 }
    let flat = weights("lstm", vocabulary: 60) { $0.layers = 1 }
    for name in ["rnn.weight_ih_l0", "rnn.weight_hh_l0"] {
      #expect(deep[name]?.isEmpty == false && deep[name] == flat[name])
    }
  }

  @Test func `filling ends when it is asked to`() {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.cell) = (400, "rnn")
    let layout = CoreTests.layout(configuration, vocabulary: 3)
    let memory = ParameterMemory(layout: layout, shards: 0)
    var questions = 0
    memory.initialize(layout.initialParts(dealtTo: 1)[0], seed: 1) {
      questions += 1
      return questions > 2
    }
    // The first part is a recurrent matrix of four blocks, of which one was applied; all later parts are left.
    let filled = layout.parameters.filter { parameter in parameter.range.contains { memory.weights[$0] != 0 }
    }
    #expect(filled.map(\.name) == ["rnn.weight_hh_l1"])
  }

  @Test func `xavier is uniform with the variance of one gate`() throws {
    let weights = weights("lstm") { $0.initialization.input = .xavier }
    for (name, inputs, outputs) in [("rnn.weight_ih_l0", 30.0, 40.0), ("head.weight", 40, 50)] {
      let elements = try #require(weights[name])
      let (mean, variance) = moments(elements)
      #expect(abs(variance / (2 / (inputs + outputs)) - 1) < 0.06, "\(name)")
      #expect(abs(mean) < 4 * (variance / Double(elements.count)).squareRoot(), "\(name)")
      let bound = (6 / (inputs + outputs)).squareRoot()
      let largest = elements.map { Double(abs($0)) }.max() ?? 0
      #expect(largest <= bound * (1 + 1e-6) && largest > 0.99 * bound, "\(name)")
    }
  }

  @Test func `he is normal with the variance of its inputs`() throws {
    let weights = weights("gru") { $0.initialization.input = .he }
    let elements = try #require(weights["rnn.weight_ih_l0"])
    let (mean, variance) = moments(elements)
    #expect(abs(variance / (2.0 / 30) - 1) < 0.08)
    #expect(abs(mean) < 0.05 * variance.squareRoot())
    // The fourth moment of a normal distribution is three squared variances; of a uniform one, 1.8.
    let fourth = Vector(elements).map { $0 * $0 * $0 * $0 }.mean
    #expect(abs(fourth / (3 * variance * variance) - 1) < 0.15)
  }

  @Test func `uniform is bounded as torch bounds it`() throws {
    let weights = weights("rnn") {
      ($0.initialization.input, $0.initialization.recurrent) = (.uniform, .uniform)
    }
    let bound = 1 / 40.0.squareRoot()
    for name in ["rnn.weight_ih_l0", "rnn.weight_hh_l1", "head.weight"] {
      let elements = try #require(weights[name])
      let largest = elements.map { Double(abs($0)) }.max() ?? 0
      #expect(largest <= bound * (1 + 1e-6) && largest > 0.99 * bound, "\(name)")
      #expect(abs(moments(elements).variance / (bound * bound / 3) - 1) < 0.1, "\(name)")
    }
  }

  @Test(arguments: ["rnn", "lstm", "gru"] as [LayerNames])
  func `biases begin at zero but those of the gates that keep the state`(_ cell: LayerNames) throws {
    let weights = weights(cell) { $0.initialization.forgetBias = 1.5 }
    for layer in 0..<2 {
      let input = try #require(weights["rnn.bias_ih_l\(layer)"])
      let recurrent = try #require(weights["rnn.bias_hh_l\(layer)"])
      // What the gates feel is the sum of both.
      for (index, (a, b)) in zip(input, recurrent).enumerated() {
        let keeps = cell != "rnn" && (40..<80).contains(index)
        #expect(a + b == (keeps ? 1.5 : 0), "layer \(layer), row \(index)")
      }
    }
    #expect(try #require(weights["head.bias"]).allSatisfy { $0 == 0 })
  }

  @Test func `embeddings, norms and initial states begin as documented`() throws {
    let plain = weights("lstm") { ($0.layerNorm, $0.initialState) = (true, .learnt) }
    #expect(abs(moments(try #require(plain["embedding.weight"])).variance - 1) < 0.1)
    #expect(try #require(plain["norm.1.weight"]).allSatisfy { $0 == 1 })
    for name in ["norm.0.bias", "rnn.initial_h_l0", "rnn.initial_c_l1"] {
      #expect(try #require(plain[name]).allSatisfy { $0 == 0 }, "\(name)")
    }
    let tied = weights("lstm") { ($0.tied, $0.embedding) = (true, 40) }
    #expect(abs(moments(try #require(tied["embedding.weight"])).variance * 40 - 1) < 0.1)
    #expect(tied["head.weight"] == nil)
  }

  @Test func `attention begins with xavier for each of its maps`() throws {
    let weights = weights("attention") { ($0.residual, $0.embedding) = (true, 40) }
    // Two layers write into the sum of all blocks.
    for (name, factor) in [("qkv", 1.0), ("out_proj", 1 / 2.0.squareRoot())] {
      let elements = try #require(weights["attention.1.\(name).weight"])
      let bound = factor * (6 / 80.0).squareRoot()
      let largest = elements.map { Double(abs($0)) }.max() ?? 0
      #expect(largest <= bound * (1 + 1e-6) && largest > 0.98 * bound, "\(name)")
      #expect(try #require(weights["attention.1.\(name).bias"]).allSatisfy { $0 == 0 }, "\(name)")
    }
  }

  @Test func `mamba begins as its authors' does`() throws {
    let weights = weights("mamba") { ($0.hidden, $0.embedding) = (400, 40) }
    for (name, inputs) in [
      ("in_proj.weight", 40.0), ("x_proj.weight", 800), ("out_proj.weight", 800), ("dt_proj.weight", 25),
      ("conv_weight", 4), ("conv_bias", 4),
    ] {
      let elements = try #require(weights["mamba.0.\(name)"])
      let bound = 1 / inputs.squareRoot()
      let largest = elements.map { Double(abs($0)) }.max() ?? 0
      #expect(largest <= bound * (1 + 1e-6) && largest > 0.98 * bound, "\(name)")
    }
    #expect(try #require(weights["mamba.0.D"]).allSatisfy { $0 == 1 })
    let decays = try #require(weights["mamba.0.A_log"])
    #expect(decays.count == 800 * 16)
    for (i, value) in decays.enumerated() { #expect(abs(exp(Double(value)) - Double(i % 16 + 1)) < 1e-5) }
    // Their logarithms are uniform.
    let steps = try #require(weights["mamba.0.dt_proj.bias"]).map { log(log1p(exp(Double($0)))) }
    #expect(steps.allSatisfy { $0 > log(0.000999) && $0 < log(0.1001) })
    #expect(abs(Vector(steps).mean - log(0.01)) < 0.2)
    #expect(abs((Vector(steps) - log(0.01)).map { $0 * $0 }.mean / (pow(log(100), 2) / 12) - 1) < 0.15)
  }

  @Test(arguments: [S4DInitialization.lin, .inv])
  func `s4d begins as its paper says`(_ initialization: S4DInitialization) throws {
    let weights = weights("s4d") {
      ($0.hidden, $0.embedding) = (400, 400)
      ($0[S4DOptions.self].states, $0[S4DOptions.self].initialization) = (10, initialization)
      ($0[S4DOptions.self].leastStep, $0[S4DOptions.self].greatestStep) = (0.01, 0.02)
    }
    let steps = try #require(weights["s4d.0.log_dt"]).map(Double.init)
    #expect(steps.allSatisfy { $0 > log(0.00999) && $0 < log(0.0201) })
    #expect((steps.max() ?? 0) - (steps.min() ?? 0) > 0.98 * log(2))
    #expect(try #require(weights["s4d.0.log_A_real"]).allSatisfy { $0 == Float(log(0.5)) })
    for (i, value) in try #require(weights["s4d.0.A_imag"]).enumerated() {
      let n = Double(i % 5)
      let expected =
        initialization == .lin ? Double.pi * n : 10 / Double.pi * (10 / (2 * n + 1) - 1)
      #expect(abs(Double(value) - expected) < 1e-5)
    }
    for (name, variance) in [("C", 0.5), ("D", 1)] {
      #expect(abs(moments(try #require(weights["s4d.0.\(name)"])).variance / variance - 1) < 0.2, "\(name)")
    }
  }

  @Test(arguments: ["mingru", "minlstm"] as [LayerNames])
  func `minimal recurrences begin as linear maps of PyTorch do`(_ cell: LayerNames) throws {
    let weights = weights(cell) { $0[MinLSTMOptions.self].forgetBias = 1.5 }
    for (layer, inputs) in [30, 40].enumerated() {
      let bound = 1 / Float(inputs).squareRoot()
      let bias = try #require(weights["\(cell).\(layer).linear.bias"])
      let isForgetting = { (row: Int) in cell == "minlstm" && row < 40 }
      let biases = bias.enumerated().map { row, value in isForgetting(row) ? value - 1.5 : value }
      for elements in [try #require(weights["\(cell).\(layer).linear.weight"]), biases] {
        #expect(elements.allSatisfy { abs($0) <= bound * 1.00001 })
        #expect((elements.max() ?? 0) > 0.9 * bound && (elements.min() ?? 0) < -0.9 * bound)
      }
    }
  }

  @Test func `eigenvalues of lru fill a ring, and inputs are scaled by what each keeps`() throws {
    let weights = weights("lru") {
      ($0.hidden, $0.embedding, $0.layers) = (20, 20, 1)
      $0[LRUOptions.self].states = 4000
      ($0[LRUOptions.self].leastRadius, $0[LRUOptions.self].greatestRadius) = (0.5, 0.9)
      $0[LRUOptions.self].greatestPhase = 0.3
    }
    func exponentials(_ name: String) throws -> [Double] {
      try #require(weights["lru.0.\(name)"]).map { exp(Double($0)) }
    }
    let squares = try exponentials("nu_log").map { exp(-2 * $0) }
    for (square, gamma) in zip(squares, try exponentials("gamma_log")) {
      #expect(abs(gamma * gamma - (1 - square)) < 1e-5)
    }
    // Uniform between the bounds, as are phases.
    for (values, low, high) in [(squares, 0.25, 0.81), (try exponentials("theta_log"), 0, 0.3)] {
      #expect(values.allSatisfy { low * 0.9999 <= $0 && $0 <= high * 1.0001 })
      let unit = Vector(values.map { ($0 - low) / (high - low) })
      #expect(abs(unit.mean - 0.5) < 0.02)
      #expect(abs((unit - 0.5).map { $0 * $0 }.mean - 1 / 12) < 0.005)
    }
    for (name, variance) in [("B_re", 0.025), ("B_im", 0.025), ("C_re", 1 / 4000), ("C_im", 1 / 4000)] {
      #expect(abs(moments(try #require(weights["lru.0.\(name)"])).variance / variance - 1) < 0.05, "\(name)")
    }
    #expect(abs(moments(try #require(weights["lru.0.D"])).variance - 1) < 0.7)
  }

  @Test(arguments: [WeightInitialization.xavier, .he, .orthogonal, .uniform])
  func `maps that write into residual sums begin smaller in deeper stacks`(_ rule: WeightInitialization)
    throws
  {
    func down(_ layers: Int) throws -> [Float] {
      let weights = weights("gru") {
        ($0.residual, $0.embedding, $0.mlp, $0.layers, $0.initialization.input) = (true, 40, 1, layers, rule)
      }
      return try #require(weights["down.0.weight"])
    }
    // By the root of their number, two a block.
    for (deep, shallow) in zip(try down(8), try down(2)) { #expect(abs(2 * deep - shallow) < 1e-6) }
    #expect(try down(2).contains { abs($0) > 0.01 })
  }

  @Test(arguments: [WeightInitialization.xavier, .he, .orthogonal, .uniform])
  func `weights are a function of the seed, and differ everywhere else`(_ rule: WeightInitialization) throws {
    func drawn(_ seed: UInt64) -> [String: [Float]] {
      weights("lstm", seed: seed) {
        ($0.initialization.input, $0.initialization.recurrent) = (rule, rule)
        ($0.layers, $0.embedding) = (3, 40)
      }
    }
    let (first, again, other) = (drawn(1), drawn(1), drawn(2))
    #expect(first == again)
    let matrices = first.keys.filter { $0.contains("weight") }.sorted()
    #expect(matrices.count == 8)
    for (index, name) in matrices.enumerated() {
      let elements = try #require(first[name])
      #expect(elements != other[name], "\(name)")
      for earlier in matrices[..<index] {
        let shared = try #require(first[earlier]).prefix(100)
        #expect(Array(elements.prefix(100)) != Array(shared), "\(name) and \(earlier)")
      }
    }
  }

  @Test func `the gaps of the layout stay zero`() {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding) = (5, 3)
    let layout = CoreTests.layout(configuration, vocabulary: 7)
    let memory = ParameterMemory(layout: layout, shards: 0)
    memory.initialize(seed: 1)
    var isGap = [Bool](repeating: true, count: layout.count)
    for parameter in layout.parameters { for i in parameter.range { isGap[i] = false } }
    #expect(isGap.indices.allSatisfy { !isGap[$0] || memory.weights[$0] == 0 })
    #expect(isGap.count { !$0 } == layout.parameterCount)
    #expect(layout.pieces.map(\.lowerBound) == [0] + layout.pieces.dropLast().map(\.upperBound))
    #expect(layout.pieces.allSatisfy { $0.lowerBound % ParameterLayout.alignment == 0 })
  }
}
