import Chunks
import Preconditions
import Random
import Settings

/// A task of pairs: a date as people write it, to be said as in ISO 8601.
///
/// Days from 1 January 1900 on and formats are all equally likely. With points the day comes first, with slashes the month
/// or, of four digits, the year: the target follows from the source.
package struct Dates: StreamTask {
  package static let name = "dates"
  package static let abstract = "Pairs: a date in one of many formats, to be said as in ISO 8601."
  package static let sizes: [Setting<Dates>] = [
    .streams, Setting("years", \.years, .within(1, 1000), "Years from 1900 on"),
  ]
  package static let loss = StatedLoss.crossEntropy

  package var streams = 20_000
  /// The years, from 1900 on.
  package var years = 200

  package init() {}

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November",
    "December",
  ]
  private static let weekdays = [
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
  ]
  private static let formats: [@Sendable (CivilDay) -> String] = [
    { "\($0.day) \(months[$0.month - 1]) \($0.year)" },
    { "\(months[$0.month - 1]) \($0.day), \($0.year)" },
    { "\($0.day) \(months[$0.month - 1].prefix(3)) \($0.year)" },
    { "\(months[$0.month - 1].prefix(3)) \($0.day), \($0.year)" },
    { "\(weekdays[$0.weekday]), \($0.day) \(months[$0.month - 1]) \($0.year)" },
    { "\(weekdays[$0.weekday].prefix(3)), \(months[$0.month - 1].prefix(3)) \($0.day), \($0.year)" },
    { "\($0.day).\($0.month).\($0.year)" },
    { "\(twoDigits($0.day)).\(twoDigits($0.month)).\($0.year)" },
    { "\($0.month)/\($0.day)/\($0.year)" },
    { "\($0.year)/\(twoDigits($0.month))/\(twoDigits($0.day))" },
  ]

  private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// The characters that formats are written with.
  private static let sourceLetters = Set((months + weekdays).joined() + "0123456789 ,./").sorted()
  private static let targetLetters = Array("-0123456789")

  package var tracks: [TrackRole: TrackDescription] {
    get throws { [.input: .tokens(try Self.vocabulary(Self.targetLetters).withEnds())] }
  }
  package var sourceTrack: TrackDescription? {
    get throws { .tokens(try Self.vocabulary(Self.sourceLetters)) }
  }

  private static func vocabulary(_ letters: [Character]) throws -> Vocabulary {
    try Vocabulary(level: .char, spellings: letters.map { String($0) })
  }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    let days = CivilDay.count(ofYears: years)
    return { random in
      let day = CivilDay(number: random.below(days))
      let written = Self.formats[random.below(Self.formats.count)](day)
      let iso = "\(day.year)-\(Self.twoDigits(day.month))-\(Self.twoDigits(day.day))"
      return .pair(
        .tokens(written.tokens(in: Self.sourceLetters)), iso.tokens(in: Self.targetLetters),
        letters: Self.targetLetters.count)
    }
  }
}

extension String {
  /// The places of its characters among `letters`.
  fileprivate func tokens(in letters: [Character]) -> [Int32] {
    map { letter in
      guard let place = letters.firstIndex(of: letter) else {
        preconditionFailure("\(letter) is a letter of the task")
      }
      return Int32(place)
    }
  }
}

/// A day of the Gregorian calendar from 1 January 1900, a Monday, on.
private struct CivilDay {
  private(set) var year = 1900
  private(set) var month = 1
  let day: Int
  /// From 0 for Monday.
  let weekday: Int

  /// The day with this number, from 0 on.
  init(number: Int) {
    var rest = number
    while rest >= Self.days(ofYear: year) {
      rest -= Self.days(ofYear: year)
      year += 1
    }
    while rest >= Self.days(ofMonth: month, year) {
      rest -= Self.days(ofMonth: month, year)
      month += 1
    }
    day = rest + 1
    weekday = number % 7
  }

  /// The days of so many years.
  static func count(ofYears years: Int) -> Int { (1900..<1900 + years).reduce(0) { $0 + days(ofYear: $1) } }

  private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private static func days(ofYear year: Int) -> Int { isLeap(year) ? 366 : 365 }

  private static func days(ofMonth month: Int, _ year: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}
