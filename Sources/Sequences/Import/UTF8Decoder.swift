/// Decodes UTF-8 that comes in blocks, cut anywhere, and accepts nothing else: no overlong forms, no surrogates,
/// nothing above U+10FFFF (The Unicode Standard, table 3-7).
struct UTF8Decoder {
  /// Where a sequence that is no UTF-8 begins: in bytes from the start of the text, and the line, from 1.
  struct Failure: Error, Equatable {
    let offset: Int
    let line: Int
  }

  /// The bytes taken so far, and the lines that have ended.
  private var (consumed, lines) = (0, 0)
  /// The length so far of an unfinished sequence.
  private var length = 0
  /// How many continuation bytes are still to come, the range in which the next must lie, and the value so far.
  private var missing = 0
  private var allowed: ClosedRange<UInt8> = 0x80...0xBF
  private var value: UInt32 = 0

  /// Appends the scalar values of `block` to `scalars`; what a sequence cut at its end means is said with the next one.
  mutating func decode(_ block: UnsafeBufferPointer<UInt8>, into scalars: inout [UInt32]) throws(Failure) {
    for (index, byte) in block.enumerated() {
      if missing == 0 {
        if byte < 0x80 {
          scalars.append(UInt32(byte))
          continue
        }
        guard begin(byte) else { throw failure(block, at: index) }
        length = 1
        continue
      }
      guard allowed.contains(byte) else { throw failure(block, at: index - length) }
      value = value << 6 | UInt32(byte & 0x3F)
      allowed = 0x80...0xBF
      length += 1
      missing -= 1
      if missing == 0 { scalars.append(value) }
    }
    consumed += block.count
    lines += Self.lineEnds(block[...])
  }

  private static func lineEnds(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Int {
    bytes.count { $0 == 0x0A }
  }

  /// `index` is below 0 where the sequence has begun in the block before; it holds no line's end.
  private func failure(_ block: UnsafeBufferPointer<UInt8>, at index: Int) -> Failure {
    Failure(offset: consumed + index, line: lines + Self.lineEnds(block.prefix(max(0, index))) + 1)
  }

  /// Call at the end of the text, where no sequence may be unfinished.
  func finish() throws(Failure) {
    if missing > 0 { throw Failure(offset: consumed - length, line: lines + 1) }
  }

  private mutating func begin(_ byte: UInt8) -> Bool {
    switch byte {
    case 0xC2...0xDF: (missing, allowed) = (1, 0x80...0xBF)
    case 0xE0: (missing, allowed) = (2, 0xA0...0xBF)
    case 0xED: (missing, allowed) = (2, 0x80...0x9F)
    case 0xE1...0xEF: (missing, allowed) = (2, 0x80...0xBF)
    case 0xF0: (missing, allowed) = (3, 0x90...0xBF)
    case 0xF1...0xF3: (missing, allowed) = (3, 0x80...0xBF)
    case 0xF4: (missing, allowed) = (3, 0x80...0x8F)
    default: return false
    }
    value = UInt32(byte) & (0x3F >> UInt32(missing))
    return true
  }
}
