import Settings
import Testing

@Suite struct SettingTests {
  private struct Cup: Equatable {
    var volume = 3
    var label = "tea"
    static let settings: [Setting<Cup>] = [
      Setting("volume", \.volume, .within(1, 9), "How much goes in", synonyms: "size litres"),
      Setting("label", \.label, mayChange: true, "What it says"),
    ]
  }

  private struct Tray: Equatable {
    var left = Cup()
    var right = Cup()
    static let settings = SettingTable<Tray>(
      Array(Cup.settings.prefix(1)).lifted("cups.left", \.left)
        + Array(Cup.settings.suffix(1)).lifted("cups.right", \.right))
  }

  @Test func `the settings of a part are settings of the whole, in a section`() throws {
    var tray = Tray()
    try Tray.settings.set("cups.left.volume=5", in: &tray)
    let keys = try Tray.settings.read(yaml: "cups: {right: {label: x}}", name: "t", into: &tray)
    #expect(keys == ["cups.right.label"])
    #expect(tray == Tray(left: Cup(volume: 5), right: Cup(label: "x")))
    #expect(
      Tray.settings.yaml(tray) == """
        cups:
          left:
            # How much goes in (an integer from 1 to 9)
            volume: 5
          right:
            # What it says (a text; may change on resume)
            label: "x"

        """)
    let changes = Tray.settings.changes(from: Tray(), to: tray)
    #expect(
      changes.map(\.description)
        == ["cups.left.volume was 3, now 5", #"cups.right.label was "tea", now "x""#])
    #expect(changes.map(\.mayChange) == [false, true])
  }

  @Test(arguments: [
    ("cups.left.volume=10", "cups.left.volume=10: expected an integer from 1 to 9, found 10"),
    ("volum=5", "volum=5: volum is not a setting; the nearest is cups.left.volume"),
    ("tray.Li_tres=5", "tray.Li_tres=5: tray.Li_tres is not a setting; it is called cups.left.volume here"),
  ])
  func `what can't be set changes nothing, and the message names the whole key`(
    _ assignment: String, _ message: String
  ) {
    var tray = Tray()
    #expect(throws: ConfigurationError(message)) { try Tray.settings.set(assignment, in: &tray) }
    #expect(tray == Tray())
  }

  @Test func `numbers are written as old readers of YAML take them`() {
    #expect(1e-8.yaml == "1.0e-08")
    #expect(2.5e-9.yaml == "2.5e-09")
    #expect(1e22.yaml == "1.0e+22")
    #expect(0.002.yaml == "0.002")
  }

  @Test func `edits are counted`() {
    #expect(editDistance("", "abc") == 3)
    #expect(editDistance("kitten", "sitting") == 3)
    #expect(editDistance("hidden", "hidden") == 0)
  }
}
