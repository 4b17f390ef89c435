import FileSystem
import Testing

@Suite struct WordingTests {
  @Test func `numbers and times read well`() {
    #expect(Wording.decimal(1.23456, places: 4) == "1.2346")
    #expect(Wording.decimal(-0.05, places: 2) == "-0.05")
    #expect(Wording.decimal(.infinity, places: 2) == "inf")
    #expect(Wording.decimal(.nan, places: 2) == "nan")
    #expect(Wording.count(12) == "12.0")
    #expect(Wording.count(25_340) == "25.3k")
    #expect(Wording.count(4_561_000) == "4.56M")
    #expect([0, 1, 999].map(Wording.bytes) == ["0 bytes", "1 byte", "999 bytes"])
    #expect([1000, 23_456, 99_400].map(Wording.bytes) == ["1 kB", "23 kB", "99 kB"])
    #expect([100_000, 12_340_000, 312_000_000].map(Wording.bytes) == ["0.1 MB", "12.3 MB", "312 MB"])
    #expect(Wording.bytes(4_500_000_000) == "4.5 GB")
    #expect(Wording.duration(7) == "0:07")
    #expect(Wording.duration(750) == "12:30")
    #expect(Wording.duration(11_100) == "3:05:00")
    #expect(Wording.duration(.nan) == "?")
  }
}
