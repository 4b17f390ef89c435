import CKernels
import HDF5
import Testing

/// The losses of units and the smoothed cross entropy against what `torch.nn` computed; Fixtures/make_loss_fixtures.py
/// says what the file holds.
@Suite struct UnitLossTests {
  typealias Kernel =
    @convention(c) (
      Int, Int, UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?,
      UnsafePointer<Float>?, Bool,
      UnsafeMutablePointer<Double>?
    ) -> Void

  static let names = ["squared_error", "gaussian", "bernoulli"]

  static func kernel(_ name: String, _ set: InstructionSet) -> Kernel {
    let kernels = set.kernels.pointee
    return switch name {
    case "squared_error": kernels.squared_error
    case "gaussian": kernels.gaussian_loss
    default: kernels.bernoulli_loss
    }
  }

  /// What the fixture has of a loss and a number of units.
  struct Fixture {
    let file: File
    let path: String

    init(_ name: String, _ units: Int) throws {
      let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)
      file = try File.open("\(folder)../Fixtures/losses.h5")
      path = "\(name)/\(units)"
    }

    func floats(_ name: String) throws -> [Float] { try file.dataset("\(path)/\(name)").readArray() }
    func doubles(_ name: String) throws -> [Double] { try file.dataset("\(path)/\(name)").readArray() }
  }

  @Test(arguments: InstructionSet.all, names)
  func `losses of units and their gradients are torch's`(_ set: InstructionSet, _ name: String) throws {
    for units in [1, 5, 16, 17, 65] {
      let fixture = try Fixture(name, units)
      var outputs = try fixture.floats("outputs")
      let before = outputs
      let (targets, weights) = (try fixture.floats("targets"), try fixture.floats("weights"))
      let unitWeights = try fixture.floats("unit_weights")
      var losses = [Double](repeating: -1, count: weights.count)
      let kernel = Self.kernel(name, set)
      kernel(weights.count, units, &outputs, targets, weights, unitWeights, false, &losses)
      #expect(outputs == before)
      var again = losses
      kernel(weights.count, units, &outputs, targets, weights, unitWeights, true, &again)
      #expect(again == losses)
      let expected = try fixture.doubles("losses")
      for (row, loss) in losses.enumerated() {
        #expect(abs(loss - expected[row]) < 2e-6 * max(1, abs(expected[row])), "\(units) units, row \(row)")
      }
      let gradients = try fixture.doubles("gradients")
      for (index, gradient) in outputs.enumerated() {
        #expect(
          abs(Double(gradient) - gradients[index]) < 3e-6 * max(1, abs(gradients[index])),
          "\(units) units, output \(index)")
      }
    }
  }

  @Test(arguments: InstructionSet.all)
  func `the smoothed and weighted cross entropy is torch's`(_ set: InstructionSet) throws {
    for classes in [1, 5, 16, 17, 65] {
      let fixture = try Fixture("cross_entropy", classes)
      var logits = try fixture.floats("outputs")
      let targets: [Int32] = try fixture.file.dataset("\(fixture.path)/targets").readArray()
      let weights = try fixture.floats("weights")
      let smoothing = Float(try fixture.file.attributes.number("smoothing"))
      var losses = [Double](repeating: -1, count: weights.count)
      set.kernels.pointee.smoothed_cross_entropy(
        weights.count, classes, &logits, targets, weights, smoothing, try fixture.floats("class_weights"),
        &losses)
      for (row, loss) in try fixture.doubles("losses").enumerated() {
        #expect(abs(losses[row] - loss) < 2e-6 * max(1, abs(loss)), "\(classes) classes, row \(row)")
      }
      for (index, gradient) in try fixture.doubles("gradients").enumerated() {
        #expect(abs(Double(logits[index]) - gradient) < 2e-6, "\(classes) classes, logit \(index)")
      }
    }
  }

  @Test(arguments: InstructionSet.all, names)
  func `without unit weights every unit counts`(_ set: InstructionSet, _ name: String) {
    let (rows, units) = (3, 19)
    let outputs = numbers(rows * units * 2, seed: 1), targets = numbers(rows * units, seed: 2)
    func run(_ unitWeights: [Float]?) -> ([Float], [Double]) {
      var (values, losses) = (outputs, [Double](repeating: 0, count: rows))
      let kernel = Self.kernel(name, set)
      if let unitWeights {
        kernel(rows, units, &values, targets, [1, 2, 0.5], unitWeights, true, &losses)
      } else {
        kernel(rows, units, &values, targets, [1, 2, 0.5], nil, true, &losses)
      }
      return (values, losses)
    }
    let (found, expected) = (run(nil), run([Float](repeating: 1, count: rows * units)))
    #expect(found.0 == expected.0 && found.1 == expected.1 && found.0 != outputs)
  }

  @Test(arguments: InstructionSet.all, names)
  func `an output that is not finite makes the loss so, unless it has no weight`(
    _ set: InstructionSet, _ name: String
  ) {
    let units = 20
    for bad in [Float.nan, .infinity, -.infinity] {
      for place in name == "gaussian" ? [3, units + 3] : [3, 19] {
        var outputs = numbers(2 * units, seed: 3)
        outputs[place] = bad
        var (copy, loss) = (outputs, 0.0)
        let ones = [Float](repeating: 1, count: units)
        Self.kernel(name, set)(1, units, &copy, numbers(units, seed: 4), [1], nil, false, &loss)
        #expect(!loss.isFinite, "\(bad) at \(place)")
        var unitWeights = ones
        unitWeights[place % units] = 0
        Self.kernel(name, set)(1, units, &copy, numbers(units, seed: 4), [1], unitWeights, true, &loss)
        #expect(loss.isFinite && copy.prefix(units).allSatisfy(\.isFinite), "\(bad) at \(place)")
        Self.kernel(name, set)(1, units, &outputs, numbers(units, seed: 4), [0], nil, true, &loss)
        #expect(loss == 0 && outputs.prefix(units).allSatisfy { $0 == 0 })
      }
    }
  }

  @Test(arguments: InstructionSet.all)
  func `extreme outputs neither overflow nor vanish`(_ set: InstructionSet) {
    var (logits, loss) = ([Float(1e4), -1e4, 1e4, -1e4], 0.0)
    set.kernels.pointee.bernoulli_loss(1, 4, &logits, [1, 0, 0, 1], [1], nil, true, &loss)
    #expect(loss == 2e4 && zip(logits, [0, 0, 1, -1]).allSatisfy { abs($0 - $1) < 1e-30 })
    var (outputs, targets) = ([Float(0), 0, -1e30, 1e30], [Float(0), 1])
    set.kernels.pointee.gaussian_loss(1, 2, &outputs, targets, [1], nil, false, &loss)
    #expect(loss.isFinite)
    var found = [Float](repeating: 0, count: 3)
    set.kernels.pointee.variances(3, [-1e30, 0, 1e30], &found)
    #expect(abs(found[0] / 3.059e-7 - 1) < 1e-3 && found[1] == 1 && abs(found[2] / 3.269e6 - 1) < 1e-3)
    targets = [0, 0]
    set.kernels.pointee.probabilities(2, [0, 100], &targets)
    #expect(targets == [0.5, 1])
  }
}
