import Glibc

/// How numbers and times read.
package enum Wording {
  /// The time of day in UTC, now or before, as RFC 3339 has it: 2026-01-31T12:30:00Z.
  package static func timeOfDay(secondsAgo: Int = 0) -> String {
    var seconds = time(nil) - secondsAgo
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A number with so many decimal places.
  package static func decimal(_ value: Double, places: Int) -> String {
    let scale = (0..<places).reduce(1.0) { product, _ in product * 10 }
    let scaled = (value.magnitude * scale).rounded()
    guard scaled < 1e15 else { return value.description }
    let digits = String(Int(scaled))
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return "\(value < 0 ? "-" : "")\(padded.dropLast(places)).\(padded.suffix(places))"
  }

  /// A count in three digits or so: 870, 12.3k, 4.56M.
  package static func count(_ value: Double) -> String {
    switch value {
    case ..<1000: decimal(value, places: 1)
    case ..<1e6: decimal(value / 1e3, places: 1) + "k"
    default: decimal(value / 1e6, places: 2) + "M"
    }
  }

  /// A number of bytes: 0 bytes, 23 kB, 0.3 MB, 12.3 MB, 312 MB, 4.5 GB.
  package static func bytes(_ count: Int) -> String {
    switch count {
    case ..<1000: counted(count, "byte")
    case ..<100_000: "\((count + 500) / 1000) kB"
    case ..<100_000_000: decimal(Double(count) / 1e6, places: 1) + " MB"
    case ..<1_000_000_000: "\((count + 500_000) / 1_000_000) MB"
    default: decimal(Double(count) / 1e9, places: 1) + " GB"
    }
  }

  /// A number of things: 1 rank, 8 ranks.
  package static func counted(_ count: Int, _ thing: String) -> String {
    "\(count) \(thing)\(count == 1 ? "" : "s")"
  }

  /// A time as 0:07, 12:30 or 3:05:00.
  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
    let whole = Int(seconds.rounded())
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return (hours > 0 ? "\(hours):\(two(minutes))" : "\(minutes)") + ":\(two(whole % 60))"
  }
}
