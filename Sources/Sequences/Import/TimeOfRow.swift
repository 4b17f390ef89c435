/// When a row of a table was: a number of any unit, or a date, whose unit is the second.
struct TimeOfRow: Comparable {
  let isDate: Bool
  let value: Double

  /// The time that is written so: `17.5`, `2026-01-31`, `2026-01-31 12:30`, `2026-01-31T12:30:05.25+01:00`; nil where it is
  /// neither a number nor such a date.
  init?(_ text: String) {
    if let number = Double(text), number.isFinite {
      (isDate, value) = (false, number)
    } else if let seconds = Self.seconds(text) {
      (isDate, value) = (true, seconds)
    } else {
      return nil
    }
  }

  static func < (a: TimeOfRow, b: TimeOfRow) -> Bool { a.value < b.value }

  /// The seconds since 1970 of a date as in ISO 8601, in UTC where it names no other zone.
  private static func seconds(_ text: String) -> Double? {
    var scanner = Scanner(text)
    guard let year = scanner.number(digits: 4...4), scanner.take("-/") != nil,
      let month = scanner.number(digits: 1...2, in: 1...12), scanner.take("-/") != nil,
      let day = scanner.number(digits: 1...2, in: 1...31)
    else { return nil }
    var seconds = Double(days(year, month, day)) * 86400
    if scanner.take(" T") != nil {
      guard let clock = scanner.clock() else { return nil }
      seconds += clock
      if scanner.take(".") != nil {
        guard let fraction = scanner.fraction() else { return nil }
        seconds += fraction
      }
    }
    if let sign = scanner.take("Z+-"), sign != "Z" {
      guard let zone = scanner.clock() else { return nil }
      seconds += sign == "-" ? zone : -zone
    }
    return scanner.isAtEnd ? seconds : nil
  }

  /// The days since 1 January 1970 of a date in the Gregorian calendar; years begin in March, so that a leap day is their
  /// last (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let year = month > 2 ? year : year - 1
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
  }
}

/// Reads a date from left to right.
private struct Scanner {
  private var rest: Substring

  init(_ text: String) { rest = text[...] }

  var isAtEnd: Bool { rest.isEmpty }

  /// One of these characters, if the next one is.
  mutating func take(_ characters: String) -> Character? {
    guard let next = rest.first, characters.contains(next) else { return nil }
    rest.removeFirst()
    return next
  }

  /// A number of so many digits.
  mutating func number(digits: ClosedRange<Int>, in range: ClosedRange<Int> = 0...9999) -> Int? {
    let found = rest.prefix(digits.upperBound).prefix { ("0"..."9").contains($0) }
    rest = rest[found.endIndex...]
    guard found.count >= digits.lowerBound, let number = Int(found), range.contains(number) else {
      return nil
    }
    return number
  }

  /// Hours, minutes and perhaps seconds, in seconds.
  mutating func clock() -> Double? {
    guard let hours = number(digits: 1...2, in: 0...24), take(":") != nil,
      let minutes = number(digits: 2...2, in: 0...59)
    else { return nil }
    var clock = Double(hours * 3600 + minutes * 60)
    if take(":") != nil {
      guard let seconds = number(digits: 2...2, in: 0...60) else { return nil }
      clock += Double(seconds)
    }
    return clock
  }

  /// The digits behind a decimal point.
  mutating func fraction() -> Double? {
    let found = rest.prefix { ("0"..."9").contains($0) }
    rest = rest[found.endIndex...]
    return Double("0.\(found)")
  }
}
