import CKernels
import Random
import Testing

@Suite struct RandomStreamTests {
  /// The known answers of the authors' own implementation (Random123, kat_vectors).
  @Test func `philox gives the known answers`() {
    let zero = st_philox(0, 0, 0, 0, 0)
    #expect([zero.x0, zero.x1, zero.x2, zero.x3] == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    let most = UInt32.max
    let ones = st_philox(.max, most, most, most, most)
    #expect([ones.x0, ones.x1, ones.x2, ones.x3] == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
  }

  @Test func `purposes and places have sequences of their own`() {
    func first(_ seed: UInt64, _ purpose: Purpose, _ place: UInt32) -> UInt64 {
      var stream = RandomStream(RandomKey(seed: seed, purpose: purpose), at: (place, 0, 0))
      return stream.next()
    }
    let numbers = [
      first(1, .dropout, 0), first(2, .dropout, 0), first(1, .shuffling, 0), first(1, .dropout, 1),
    ]
    #expect(Set(numbers).count == numbers.count)
    #expect(first(1, .dropout, 0) == numbers[0])
  }

  @Test func `moments are those of the distributions`() {
    var stream = RandomStream(RandomKey(seed: 7, purpose: .benchmark))
    let count = 100_000
    let uniform = (0..<count).map { _ in stream.uniform() }
    #expect(uniform.allSatisfy { (0..<1).contains($0) })
    #expect(abs(uniform.reduce(0, +) / Double(count) - 0.5) < 0.005)
    var counts = [Int](repeating: 0, count: 5)
    for _ in 0..<count { counts[stream.below(5)] += 1 }
    #expect(counts.allSatisfy { abs(Double($0) / Double(count) - 0.2) < 0.01 })
  }

  @Test func `names have places of their own`() {
    // The known answer of the authors' test vectors for FNV-1a: 85944171f73967e8.
    let (low, high) = RandomKey.place(of: "foobar")
    #expect((low, high) == (0xf739_67e8, 0x8594_4171))
    #expect(RandomKey.place(of: "foobas") != (low, high))
  }
}
