/// The least number of letters inserted, left out or replaced that turns one text into the other
/// (Levenshtein 1966).
package func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b.unicodeScalars)
  var row = Array(0...b.count)
  for (i, letter) in a.unicodeScalars.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let replaced = diagonal + (letter == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
    }
  }
  return row[b.count]
}
