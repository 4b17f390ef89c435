/// What SentencePiece can't do.
package struct SentencePieceError: Error, CustomStringConvertible, Sendable {
  package let description: String

  /// An error of which the library says `FILE(LINE) [CONDITION] WHAT`, where what it says for people may be missing.
  init(_ message: String) {
    let what = message.firstRange(of: "] ").map { message[$0.upperBound...] } ?? message[...]
    description = "SentencePiece: \(what.isEmpty ? message[...] : what)"
  }
}
