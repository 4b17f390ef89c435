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
    #expect(Wording.duration(7) == "0:07")
    #expect(Wording.duration(750) == "12:30")
    #expect(Wording.duration(11_100) == "3:05:00")
    #expect(Wording.duration(.nan) == "?")
  }
}
