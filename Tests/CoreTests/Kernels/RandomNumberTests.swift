import CKernels
import Glibc
import Testing

/// Random numbers against the equations in Double, and that they are normal.
@Suite struct RandomNumberTests {
  private static let key: UInt64 = 0x1234_5678_9ABC_DEF0

  /// The first `count` words of a sequence, as whole groups of 32.
  private func words(_ count: Int) -> [UInt32] {
    (0..<(count + 31) / 32 * 8).flatMap { block in
      let four = st_philox(Self.key, UInt32(block), 5, 6, 4_000_000_000)
      return [four.x0, four.x1, four.x2, four.x3]
    }
  }

  @Test(arguments: InstructionSet.all, [1, 15, 16, 17, 32, 49, 20_000])
  func `normal numbers are those of Box and Muller`(_ set: InstructionSet, _ n: Int) {
    var out = [Float](repeating: 9, count: n + 1)
    set.kernels.pointee.normal_numbers(n, 0.5, Self.key, 5, 6, 4_000_000_000, &out)
    let words = words(n)
    for i in 0..<n {
      let first = i / 32 * 32 + i % 16
      let radius = (-2 * log((Double(words[first]) + 0.5) / 0x1p32)).squareRoot()
      let angle = 2 * Double.pi * Double(words[first + 16]) / 0x1p32
      let expected = 0.5 * radius * (i % 32 < 16 ? cos(angle) : sin(angle))
      // A radius near zero comes of a number near one, which float32 tells from it to 2^-25 only.
      let tolerance = 1e-6 + 0x1p-25 / max(radius, 0x1p-12)
      #expect(abs(Double(out[i]) - expected) < tolerance, "number \(i)")
    }
    #expect(out[n] == 9)
  }

  @Test(arguments: InstructionSet.all, [1, 16, 17, 100])
  func `uniform numbers are the words of the sequence`(_ set: InstructionSet, _ n: Int) {
    var out = [Float](repeating: 9, count: n + 1)
    set.kernels.pointee.uniform_numbers(n, 3, Self.key, 5, 6, 4_000_000_000, &out)
    for (i, word) in words(n).prefix(n).enumerated() {
      #expect(out[i] == Float(Int32(bitPattern: word)) * 0x1p-31 * 3)
    }
    #expect(out[n] == 9)
  }

  /// Moments up to the sixth, and how many lie how far out.
  @Test func `many normal numbers have the distribution`() {
    let n = 1 << 22
    var out = [Float](repeating: 0, count: n)
    st_normal_numbers(n, 1, Self.key, 1, 2, 3, &out)
    var moments = [Double](repeating: 0, count: 7)
    var beyond = [Int](repeating: 0, count: 6)
    for value in out {
      var power = 1.0
      for order in 1...6 {
        power *= Double(value)
        moments[order] += power / Double(n)
      }
      for bound in 1...5 where abs(value) > Float(bound) { beyond[bound] += 1 }
    }
    // Five standard deviations of each mean.
    let deviations = [0, 1.0, 2, 15, 96, 945, 10_170].map { 5 * ($0 / Double(n)).squareRoot() }
    for (order, expected) in [1: 0, 2: 1, 3: 0, 4: 3, 5: 0, 6: 15.0] {
      #expect(abs(moments[order] - expected) < deviations[order], "moment \(order): \(moments[order])")
    }
    for bound in 1...5 {
      let expected = Double(n) * erfc(Double(bound) / 2.0.squareRoot())
      #expect(abs(Double(beyond[bound]) - expected) < 5 * expected.squareRoot(), "beyond \(bound)")
    }
  }
}
